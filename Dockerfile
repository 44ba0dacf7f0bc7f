# syntax=docker/dockerfile:1
# Two images, neither run by root nor in need of a writable root file system:
#   docker build -t voiceagent .
#   docker build -t voiceagent-whatsapp --target whatsapp .

FROM python:3.13-slim AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY deploy/requirements.lock /tmp/requirements.lock
RUN /opt/venv/bin/python -m pip install --require-hashes -r /tmp/requirements.lock

FROM node:22-slim AS whatsapp-packages
WORKDIR /app/node/baileys
COPY node/baileys/package.json node/baileys/package-lock.json ./
RUN npm ci --omit=dev --omit=peer --legacy-peer-deps --ignore-scripts

FROM node:22-slim AS whatsapp
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin voiceagent \
 && install -d -o voiceagent -g voiceagent /data
WORKDIR /app/node/baileys
COPY --from=whatsapp-packages /app/node/baileys/node_modules ./node_modules
COPY node/baileys/package.json ./
COPY node/baileys/src ./src
ENV NODE_ENV=production DATA_DIR=/data BAILEYS_HOST=0.0.0.0 BAILEYS_PORT=3001
USER 10001:10001
VOLUME /data
EXPOSE 3001
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["node", "-e", "fetch('http://127.0.0.1:3001/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "."]

# The last one is what a build without --target makes.
FROM python:3.13-slim AS service
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin voiceagent \
 && install -d -o voiceagent -g voiceagent /data
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY src ./src
# The file system is read-only later: without byte code each start would compile all of it anew.
RUN python -m compileall -q src
COPY LICENSE README.md ./
ARG GIT_COMMIT=unknown
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app/src PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/data PORT=8000 GIT_COMMIT=$GIT_COMMIT
USER 10001:10001
VOLUME /data
EXPOSE 8000
# 600 s of calls that talk on (DRAIN_SECONDS) and what comes after them: docker stop -t 660.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["python", "-m", "voiceagent.cli", "serve"]
