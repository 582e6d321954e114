# The image: one static program and what it needs. `make rootfs` lays that out; `make image` does without the first stage.
FROM docker.io/library/rust:1.95-slim-bookworm AS rootfs
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates gcc libc6-dev make
WORKDIR /src
COPY . .
RUN make rootfs ROOTFS=/rootfs

FROM scratch
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="cert-manager-webhook-cloudflare" \
      org.opencontainers.image.description="cert-manager DNS-01 webhook for Cloudflare that confirms only what the authority serves" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=rootfs / /
# Nobody's on any system; a number, so that Kubernetes can see that it is not root.
USER 65532:65532
# kube-apiserver, then probes and metrics.
EXPOSE 8443 9402
ENTRYPOINT ["/cert-manager-webhook-cloudflare"]
CMD ["serve"]
