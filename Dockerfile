# The image of operator and workers. Yours is two lines: FROM rojak, and RUN pip install my-tools.
ARG PYTHON=python:3.12-slim

FROM ${PYTHON} AS build
# pip compiles what it installs: pods cannot write next to the code, and would compile at each start.
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/rojak
ENV PATH=/opt/rojak/bin:$PATH
WORKDIR /src
# Dependencies first: they change less often than the code, and their layer is kept.
COPY requirements/image.txt requirements/
RUN pip install --require-hashes -r requirements/image.txt
COPY pyproject.toml README.md LICENSE ./
COPY rojak rojak
COPY operator operator
# The package alone, then the extras' dependencies are checked against what the lock brought.
RUN pip install --no-deps . && pip check

FROM ${PYTHON}
LABEL org.opencontainers.image.title="Rojak" \
      org.opencontainers.image.description="LLM agents that cannot be lost: worker and operator" \
      org.opencontainers.image.licenses="Apache-2.0"
# HOME is where libraries keep caches; in pods /tmp is all that can be written.
ENV PATH=/opt/rojak/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN groupadd --gid 65532 rojak && useradd --uid 65532 --gid 65532 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin rojak
# Of the user, so that a Dockerfile that builds on this one installs without becoming root. In pods it is read-only.
COPY --from=build --chown=65532:65532 /opt/rojak /opt/rojak
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["rojak"]
CMD ["--help"]
