# nas-fusion for the CPU: `docker build --tag nas-fusion .`; `docker run --rm nas-fusion` lists the commands.
# docs/how-to/install.md says how a log gets in and a study out.

FROM python:3.11-slim AS build
# Where torch's wheels for the CPU are; the usual ones bring CUDA, which is gigabytes.
ARG TORCH=https://download.pytorch.org/whl/cpu
# Extras of nas-fusion, with commas between.
ARG EXTRAS=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
RUN python -m venv /venv
COPY constraints.txt ./
RUN PIP_INDEX_URL="$TORCH" /venv/bin/pip install --no-deps --constraint constraints.txt torch
COPY pyproject.toml README.md LICENSE ./
COPY nas_fusion ./nas_fusion
COPY baselines ./baselines
COPY search_spaces ./search_spaces
COPY studies ./studies
RUN /venv/bin/pip install --constraint constraints.txt ".${EXTRAS:+[$EXTRAS]}"
# NNI writes a file into its own package when it is first imported, which the image's user may not.
RUN /venv/bin/python -W ignore -c "import nas_fusion.nni_bridge"

# What was installed, without sources, caches and constraints.
FROM python:3.11-slim
# LightGBM's wheel expects OpenMP's library from the system.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /venv /venv
# A user without rights; any other one (`--user`) may write to /data as well, which a mounted folder stands over.
RUN mkdir --mode 1777 /data
USER 10001:10001
WORKDIR /data
ENV PATH=/venv/bin:$PATH HOME=/data USER=nasfusion
ENTRYPOINT ["nasfusion"]
CMD ["--help"]
