# Every build step here is one that .ci/run tries without Docker.
FROM denoland/deno:debian-2.9.6 AS build
WORKDIR /finops
COPY deno.json deno.lock main.ts ./
COPY .ci .ci
COPY src src
COPY tests/support tests/support
RUN deno task compile
RUN mkdir /finops/data

# No shell and no package manager: the program, the C library, certificates.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /finops/dist/finops /usr/local/bin/finops
COPY --from=build --chown=nonroot:nonroot /finops/data /data
USER nonroot
ENV FINOPS_HOST=0.0.0.0 \
    FINOPS_PORT=8080 \
    FINOPS_DATA_DIR=/data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
  CMD ["/usr/local/bin/finops", "health"]
ENTRYPOINT ["/usr/local/bin/finops"]
CMD ["serve"]
