# The gateway as an image. Each RUN line is a make target, and tests/helm runs those targets without a container engine.
# The two base images must carry the same Python and the same Debian.
ARG BUILD_IMAGE=python:3.11-bookworm
ARG RUN_IMAGE=python:3.11-slim-bookworm

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY Makefile requirements.lock requirements-build.lock ./
RUN make image-deps TARGET=/opt/lgsp-gateway
COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
RUN make image-app TARGET=/opt/lgsp-gateway
RUN make image-state TARGET=/opt/state

FROM ${RUN_IMAGE}
COPY --from=build /opt/lgsp-gateway /opt/lgsp-gateway
COPY --from=build --chown=10001:10001 /opt/state /var/lib/lgsp-gateway
# The root file system may be read-only: bytecode was compiled at installation.
ENV PATH=/opt/lgsp-gateway/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /var/lib/lgsp-gateway
USER 10001:10001
# 8443 vendors (gRPC, mutual TLS), 8444 the door (VXP REST, off by default), 8081 probes (grpc.health.v1), 9090 metrics
EXPOSE 8443 8444 8081 9090
ENTRYPOINT ["lgsp-gateway"]
CMD ["serve", "--config", "/etc/lgsp-gateway/config/gateway.toml"]
