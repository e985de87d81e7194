"""``python -m dev.foreign`` takes the definitions again, after a new version was pinned in `fetch`."""

from dev.foreign.fetch import main

if __name__ == "__main__":
    main()
