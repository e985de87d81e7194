"""``rojak crds``: what a cluster has to know before it takes our manifests."""

from __future__ import annotations

from typing import Annotated

import typer

from rojak.cli.app import command_app
from rojak.cli.errors import CommandError
from rojak.cli.output import Format, print_data

app = command_app()


@app.command()
def crds(
    kinds: Annotated[
        list[str] | None, typer.Argument(metavar="[KIND]...", help="Only these; all when left out.")
    ] = None,
    output: Annotated[Format, typer.Option("--output", "-o", help="yaml or json.")] = Format.YAML,
) -> None:
    """Print the CustomResourceDefinitions, for kubectl apply -f -."""
    from rojak.manifests.crds import render_crds
    from rojak.manifests.generated import to_yaml
    from rojak.manifests.problems import suggestion

    rendered = render_crds()
    names = {name.lower(): plural for plural, crd in rendered.items() for name in _names_of(crd)}
    for kind in kinds or ():
        if kind.lower() not in names:
            raise CommandError(f"there is no kind {kind!r}{suggestion(kind, names)} (kinds: {', '.join(rendered)})")
    wanted = [rendered[names[kind.lower()]] for kind in kinds] if kinds else list(rendered.values())
    if output is Format.JSON:
        print_data({"apiVersion": "v1", "kind": "List", "items": wanted}, Format.JSON)
    else:
        typer.echo("---\n".join(to_yaml(crd) for crd in wanted), nl=False)


def _names_of(crd: dict[str, dict[str, dict[str, str]]]) -> list[str]:
    names = crd["spec"]["names"]
    return [names["kind"], names["plural"], *names["shortNames"]]
