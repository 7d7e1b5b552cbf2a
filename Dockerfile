# The service with its native wire, as an unprivileged user, without compiler and pip. It writes
# to its data directory only, so that the root can be read-only:
#
#   docker build --tag ws-service .
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --ulimit nofile=65536 \
#       --volume ws-data:/var/lib/ws-service --env JWT_SECRET --publish 4000:4000 ws-service

FROM python:3.13-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore

# The newest compiler of the base's release is wanted, and nothing of it is left in the result.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /src

# Requirements first: a change of the code leaves these layers as they are.
COPY requirements/run.txt requirements/build.txt requirements/
COPY wire/requirements.txt wire/
RUN python -m venv --without-pip /opt/ws-service \
    && python -m pip --python /opt/ws-service/bin/python install \
        --no-deps --require-hashes --requirement requirements/run.txt \
    && python -m pip install --no-deps --require-hashes \
        --requirement requirements/build.txt --requirement wire/requirements.txt

COPY wire wire
COPY pyproject.toml README.md LICENSE alembic.ini ./
COPY migrations migrations
COPY service service
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels ./wire . \
    && python -m pip --python /opt/ws-service/bin/python install --no-deps --no-index /wheels/*.whl

FROM python:3.13-slim-bookworm

RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin ws-service \
    && install --directory --owner=ws-service --group=ws-service --mode=0700 /var/lib/ws-service

COPY --from=build /opt/ws-service /opt/ws-service

ENV PATH=/opt/ws-service/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    WS_HOST=0.0.0.0 \
    WS_PORT=4000 \
    WS_DATA_DIR=/var/lib/ws-service

# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
VOLUME ["/var/lib/ws-service"]
EXPOSE 4000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['WS_PORT']}/healthz\", timeout=4)"]
ENTRYPOINT ["ws-service"]
CMD ["serve"]
