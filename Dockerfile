# Denoise Lab in a container: docker build -t denoise-lab . && docker run -p 8501:8501 denoise-lab
# See docs/hosting.md for limits, several servers and a proxy.
FROM python:3.12-slim AS build
WORKDIR /app
COPY requirements.txt .
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir -r requirements.txt

FROM python:3.12-slim
# Whoever breaks out of the app is nobody in particular.
RUN useradd --uid 10001 --no-create-home --home-dir /nowhere --shell /usr/sbin/nologin lab \
 && install -d -o lab -g lab /runs
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    KERAS_HOME=/runs/.keras \
    DENOISE_RUNS_DIR=/runs \
    MALLOC_ARENA_MAX=2
# Nothing can be written here later: each start and each training would compile all again.
RUN python -m compileall -q app.py imaging models pages train
USER lab
VOLUME /runs
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["streamlit", "run", "app.py", "--server.address", "0.0.0.0", "--server.port", "8501", "--server.headless", "true"]
