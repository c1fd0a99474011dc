# One image, three commands: athanor api · celery -A worker.app worker · alembic upgrade head
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    ATHANOR_DATA=/var/lib/athanor

RUN useradd --system --create-home --uid 10001 athanor \
 && install -d -o athanor -g athanor /var/lib/athanor

WORKDIR /app

# Before the code, so that a change of code does not install torch again. By digests, then torch, as in the Makefile.
COPY pyproject.toml requirements.lock ./
RUN pip install --require-hashes --no-deps --requirement requirements.lock \
 && sed -n 's/ *\\$//; /==/p' requirements.lock > versions \
 && pip install --group server --constraint versions

COPY athanor athanor
COPY models models
COPY api api
COPY worker worker
COPY migrations migrations
RUN pip install --no-deps --no-build-isolation --editable .

USER athanor
EXPOSE 8500

HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8500/healthz', timeout=4)"]

CMD ["athanor", "api", "--host", "0.0.0.0"]
