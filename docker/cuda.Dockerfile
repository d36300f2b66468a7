# Firn for NVIDIA GPUs:  docker build -f docker/cuda.Dockerfile -t firn-cuda .
# The driver is the host's, by NVIDIA's container toolkit:  docker run --gpus all firn-cuda info
FROM debian:13-slim
COPY docker /firn/docker
RUN /firn/docker/install.sh --cuda && rm -rf /var/lib/apt/lists/*
COPY . /firn
WORKDIR /firn
RUN ./firn --version
ENV FIRN_CACHE=/cache FIRN_CUDA_LIBS=/opt/nvidia NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
VOLUME /cache
WORKDIR /work
ENTRYPOINT ["/firn/firn"]
CMD ["--help"]
