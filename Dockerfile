# syntax=docker/dockerfile:1
#
# Run it with a read-only root; config and mappings are read, var is written, keys holds the key file and, beside audit.key,
# what was signed last:
#   docker run --read-only --tmpfs /tmp:mode=1777 --cap-drop ALL --security-opt no-new-privileges \
#     -v ./config:/hub/config:ro -v ./mappings:/hub/mappings:ro -v ./keys:/hub/keys -v crmhub-var:/hub/var \
#     --env-file secrets.env crmhub sync
# The mounted files belong to uid 10001; the key file has mode 0600.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build

# Every wheel is checked against its hash here; what follows installs from this folder and from nowhere else.
COPY requirements.lock ./
RUN pip download --only-binary=:all: --require-hashes --requirement requirements.lock --dest /wheels

COPY pyproject.toml README.md LICENSE ./
COPY config config
COPY mappings mappings
COPY connectors connectors
COPY hub hub
RUN python -m venv /build/tools \
    && /build/tools/bin/pip install --no-index --find-links /wheels hatchling \
    && /build/tools/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheels .

# The product with its own dependencies only: the lock also holds the tools of development.
RUN python -m venv /opt/crmhub \
    && /opt/crmhub/bin/pip install --no-index --find-links /wheels crmhub \
    && /opt/crmhub/bin/pip check \
    && /opt/crmhub/bin/pip uninstall --yes pip setuptools


FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="crmhub" org.opencontainers.image.licenses="see LICENSE"

RUN groupadd --system --gid 10001 crmhub \
    && useradd --system --uid 10001 --gid 10001 --home-dir /hub --no-create-home --shell /usr/sbin/nologin crmhub \
    && install --directory --owner=10001 --group=10001 --mode=0750 /hub /hub/var \
    && install --directory --owner=10001 --group=10001 --mode=0700 /hub/keys

COPY --from=build /opt/crmhub /opt/crmhub
ENV PATH=/opt/crmhub/bin:$PATH \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

WORKDIR /hub
USER 10001:10001
VOLUME ["/hub/config", "/hub/mappings", "/hub/keys", "/hub/var"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["crmhub"]
CMD ["status"]
