# Firn for processors:  docker build -f docker/cpu.Dockerfile -t firn .
FROM debian:13-slim
COPY docker /firn/docker
RUN /firn/docker/install.sh && rm -rf /var/lib/apt/lists/*
COPY . /firn
WORKDIR /firn
# The first start builds; what it fetched with Maven is not needed to run.
RUN ./firn --version
ENV FIRN_CACHE=/cache
VOLUME /cache
WORKDIR /work
ENTRYPOINT ["/firn/firn"]
CMD ["--help"]
