# The image of operator and workers. Yours is two lines: FROM rojak, and RUN pip install my-tools.
ARG PYTHON=python:3.12-slim

FROM ${PYTHON} AS dependencies
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/rojak
ENV PATH=/opt/rojak/bin:$PATH
WORKDIR /src
COPY requirements/image.txt requirements/
# pip compiles what it installs: pods cannot write next to the code, and would compile at each start.
RUN pip install --require-hashes -r requirements/image.txt

FROM dependencies AS code
COPY pyproject.toml README.md LICENSE ./
COPY rojak rojak
COPY operator operator
RUN pip install --no-deps --prefix /code .

FROM ${PYTHON}
LABEL org.opencontainers.image.title="Rojak" \
      org.opencontainers.image.description="LLM agents that cannot be lost: worker and operator" \
      org.opencontainers.image.licenses="Apache-2.0"
# HOME is where libraries keep caches; in pods /tmp is all that can be written.
ENV PATH=/opt/rojak/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN groupadd --gid 65532 rojak && useradd --uid 65532 --gid 65532 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin rojak
# Of the user, so that a Dockerfile that builds on this one installs without becoming root; in pods it is read-only.
# Two layers: the large one changes with requirements/image.txt alone.
COPY --from=dependencies --chown=65532:65532 /opt/rojak /opt/rojak
COPY --from=code --chown=65532:65532 /code /opt/rojak
USER 65532:65532
# What the package needs is checked against what the lock brought.
RUN pip check
WORKDIR /tmp
ENTRYPOINT ["rojak"]
CMD ["--help"]
