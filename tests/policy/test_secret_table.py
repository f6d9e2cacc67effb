"""Variables that hold a secret beside those that do not; each line is one, as it stands in an environment."""

from __future__ import annotations

import shlex

import pytest

from policies.credentials import secret_in
from policies.rule import IMAGE, VOLUME
from tests.policy.pack import ask, container

SECRETS = """
DB_PW=hunter2hunter2
WIFI_PSK=hunter2hunter2
PIN=4711
CARD_PIN=4711
PW=hunter2
ROOTPW=hunter2
TOKENS=abc,def
SESSION_COOKIE=abcdef
COOKIE=abc
PASSWORD_URL=hunter2
DSN=app:hunter2@tcp(mysql:3306)/app
X=app:hunter2@tcp(mysql:3306)/app
X=app:hunter2@unix(/run/mysqld.sock)/app
X=postgres://u:hunter2@db/app
X=amqp://u:hunter2@mq
X=redis://:hunter2@redis:6379/0
X=a,redis://:hunter2@redis
DATABASE_URL=postgresql+psycopg://u:hunter2@db/app
X=postgresql://u@db/app?password=hunter2
X=host=db user=u password=hunter2
X=Server=db;Uid=u;Pwd=hunter2;
X=jdbc:mysql://db/app?user=u&password=hunter2
PASS=hunter2
PWD=hunter2
AUTH=hunter2
BASIC_AUTH=user:hunter2
SALT=0b5f8a
PASSWORD_SALT=0b5f8a
HASH_SALT=0b5f8a
CREDENTIALS=abc
CREDS=abc
AWS_CREDS=abc
STRIPE_KEY=Zk3v9QmT7xLw2RpY8sDf
CACHE_KEY=Zk3v9QmT7xLw2RpY8sDf4Gh1
KEYS=Zk3v9QmT7xLw2RpY8sDf4Gh1
X_KEY=hunter2
X=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl
X=LTAI5tQnE1abcdefGHIJ
X=-----BEGIN PRIVATE KEY-----
X=-----BEGIN OPENSSH PRIVATE KEY-----
X=-----BEGIN EC PRIVATE KEY-----
X=-----BEGIN ENCRYPTED PRIVATE KEY-----
X=-----BEGIN PGP PRIVATE KEY BLOCK-----
ENCRYPTION_KEY=abc
FERNET_KEY=abc
COOKIE_SECRET=abc
PEPPER=abc
CLIENTSECRET=abc
ADMIN_PASSWORD=hunter2
JWT_SECRET=hunter2
CEREBRAS_API_KEY=csk-abc
COSYVOICE_API_KEY=sk-xyz
ALIYUN_ACCESS_KEY=sk-abc
MYSQL_ROOT_PASSWORD=hunter2
REDIS_URL=redis://:pass@redis:6379/0
PASSWD=abc
PASSCODE=1234
DB_PASSWORD_URL=hunter2
WEBHOOK_URL=https://hooks.slack.com/services/T000/B000/abcdefghijklmnopqrstuvwx
AUTHORIZATION=Bearer abcdef
CURL_OPTS=-u admin:hunter2
TOTP_SEED=JBSWY3DPEHPK3PXP
X=DefaultEndpointsProtocol=https;AccountName=a;AccountKey=hunter2hunter2==
basicauth.users=admin:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/
X=admin:$$apr1$$H6uskkkW$$IgXLP6ewTrSuBkTrqE8wj/
X=admin:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC
SECRET_ID=84896a0c-1347-aa90-a4f6-aca8b7558780
S3_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
SESSION_COOKIE=s3cr3tsid
ERLANG_COOKIE=QXZSLWJKPMNTRDYEHGFB
ACCESS_TOKEN=END
X=Basic dXNlcjpodW50ZXIy
MNEMONIC=a b c d
X=postgres://u:p/w@db/app
JAVA_OPTS=-Djavax.net.ssl.keyStorePassword=hunter2
X=Authorization: Bearer abc.def
"""

HARMLESS = """
DB_PASSWORD_FILE=/run/secrets/db
WIFI_PSK_FILE=/run/secrets/psk
DB_PW_FILE=/run/secrets/db
PUBLIC_KEY=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL2vG1 me@host
JWT_PUBLIC_KEY=-----BEGIN PUBLIC KEY-----
TOKEN_LIMIT=4096
MAX_TOKENS=4096
MAX_TOKENS_PER_REQUEST=4096
TOKENS_PER_MINUTE=100
TOKENS=4096
NUM_TOKENS=12
KEY_PREFIX=berth:
PASSWORD_MIN_LENGTH=12
PASSWORD_RESET_URL=https://example.com/reset
PASSWORD_URL=https://example.com/password
MONKEY=banana
PINNED=true
PIN_MEMORY=1
PIN_COUNT=40
LED_PIN=13
SPINNER=dots
TOKENIZER=bert-base
TOKENIZERS_PARALLELISM=false
DB_PASSWORD=
SALT_ROUNDS=12
SALTED=true
BASALT=x
PWD=/app
OLDPWD=/srv/app
AUTHOR=Ann
AUTHORITY=https://idp.example.com
AUTHORIZED_NETWORKS=10.0.0.0/8
AUTH_URL=https://idp.example.com
AUTH=basic
AUTH_MODE=oauth2
COOKIE_DOMAIN=example.com
COOKIE_NAME=sid
SESSION_COOKIE_NAME=sid
COOKIE_SECURE=true
SESSION_COOKIE_SECURE=true
COOKIE_MAX_AGE=3600
COOKIE_SAMESITE=lax
PASSIVE_PORTS=1000-2000
COMPASS=north
BYPASS=x
PASSENGER_APP=x
CREDENTIALS_PROVIDER=vault
CORS_ALLOW_CREDENTIALS=true
GOOGLE_APPLICATION_CREDENTIALS=/etc/google/key.json
KEYBOARD=de
HOTKEY=ctrl
SORT_KEY=created_at
CACHE_KEY=videos:{id}
PRIMARY_KEY=id
KEYS=a
AWS_ACCESS_KEY_ID=AKI
DSN=app@tcp(mysql:3306)/app
TIME=12:30@noon
GIT_COMMIT=0123456789abcdef0123456789abcdef01234567
POSTGRES_HOST_AUTH_METHOD=scram-sha-256
POSTGRES_INITDB_ARGS=--auth-host=scram-sha-256
SSH_AUTH_SOCK=/run/agent
HMAC_ALGORITHM=sha256
SECRET_NAME=db
KEY_FILE=/etc/tls/x.key
PWD_FILE=/run/secrets/x
SPEED=fast
PINECONE_INDEX=a
MAPPING=a
SHIPPING=x
PINGPONG=1
CREDIT_LIMIT=5
DISK_MAP=a
X=http://[::1]:80/a@b
X=Basic authentication is on
BASE=http://host:3000
NODE_SELECTOR=key=value
PASSWORD_HASHER=argon2
RANDOM_SEED=42
CURL_OPTS=-s --max-time 5
DOCKER_OPTS=-u 1000:1000
SEED=42
AMOUNT=5$6$7
SESSION_COOKIE=sid
SESSION_COOKIE=connect.sid
SESSION_COOKIE=JSESSIONID
CSRF_COOKIE=csrftoken
SECRET_ID=prod/db
EOS_TOKEN=</s>
PAD_TOKEN=<pad>
BOS_TOKEN=<s>
START_TOKEN=<|im_start|>
MASK_TOKEN=[MASK]
STOP_TOKEN=END
S3_KEY=uploads/a.png
I18N_KEY=home.title
LOG_FORMAT=%(asctime)s token=%(token)s
LOG_FORMAT={time} token={token}
DSN=host=db password=$(cat /run/secrets/db)
AUTHORIZATION=enabled
"""

# The settings of the four systems that are no secrets, and those that name the file of one.
SETTINGS = """
NVIDIA_VISIBLE_DEVICES=all
NVIDIA_DRIVER_CAPABILITIES=compute,utility
CUDA_VISIBLE_DEVICES=0
KOKORO_DEVICE=cuda
KOKORO_TTS_MAX_CONCURRENCY=4
KOKORO_VENV=/app/kokoro-local/venv
PYTHONPATH=/app/kokoro-main-ref:/app/kokoro-main-ref/kokoro.js
PYTORCH_ENABLE_MPS_FALLBACK=0
PYTORCH_CUDA_ALLOC_CONF=max_split_size_mb:512
ADMIN_EMAIL=admin@example.com
COSYVOICE_CLOUD_API_URL=https://dashscope.aliyuncs.com/api/v1/services/aigc/text-to-speech
GPT_SOVITS_CLOUD_API_URL=https://api.example.com/gpt-sovits/v1
COSYVOICE_CLOUD_API_KEY_FILE=/run/secrets/cosyvoice
GPT_SOVITS_CLOUD_API_KEY_FILE=/run/secrets/gpt
ALIYUN_ACCESS_KEY_FILE=/run/secrets/aliyun_access_key
JWT_SECRET_FILE=/run/secrets/jwt
MYSQL_HOST=mysql
MYSQL_DATABASE=audioediter
MYSQL_USER=audioediter
MYSQL_PASSWORD_FILE=/run/secrets/mysql_password
MYSQL_ROOT_PASSWORD_FILE=/run/secrets/mysql_root_password
MYSQL_CA_FILE=/etc/app/ca.pem
REDIS_URL=redis://redis:6379
REDIS_PASSWORD_FILE=/run/secrets/redis
TTS_PROXY_URL=http://nginx:8001
NODE_ENV=production
FLASK_ENV=production
PORT=3000
ADMIN_PORT=8051
DATA=/app/data
DATABASE_URL=postgresql://taifish@postgres:5432/taifish?sslmode=verify-full&sslrootcert=/etc/taifish/tls/ca.pem
DATABASE_PASSWORD_FILE=/run/secrets/db
DATABASE_URL=file:/app/data/dev.db
GATEWAY_CONNECTIONS=2000
GATEWAY_CONNECTIONS_PER_CLIENT=100
NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
POSTGRES_PASSWORD_FILE=/run/secrets/postgres_password
"""


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


@pytest.mark.parametrize("variable", lines(SECRETS))
def test_a_secret_is_found_wherever_it_stands(variable: str) -> None:
    name, _, value = variable.partition("=")
    assert secret_in(name, value)
    for inputs in (
        container(envs=["A=b", variable]),
        container(labels=[{"label": name, "value": value}]),
    ):
        answer = ask(inputs)
        assert answer.broken == {"no-plain-secrets"}
        assert value not in answer.text
    assert ask({"build": {"args": {name: value}}}, IMAGE).broken == {"no-plain-secrets"}


@pytest.mark.parametrize("variable", [*lines(HARMLESS), *lines(SETTINGS)])
def test_no_false_alarm(variable: str) -> None:
    name, _, value = variable.partition("=")
    assert ask(container(envs=[variable])).violations == []
    assert ask(container(labels=[{"label": name, "value": value}])).violations == []


@pytest.mark.parametrize(
    "command",
    [
        "curl -u me:hunter2 http://app/",
        "curl --user me:hunter2 http://app/",
        "curl -H 'Authorization: Bearer abc123' http://app/",
        "curl http://app/?token=hunter2",
        "psql 'host=db user=app password=hunter2'",
        "app --dsn 'app:hunter2@tcp(mysql:3306)/app'",
        "wget redis://:hunter2@redis:6379/0",
        "PASSWORD=$(echo hunter2) exec app",
        'curl -H "X-Api-Key: hunter2" http://app/',
        "curl --header 'PRIVATE-TOKEN: hunter2' http://app/",
        "docker login -u me -p hunter2 registry.example.com",
        "mongosh -u root -p hunter2 --quiet",
        "openssl rsa -in key.pem -passin pass:hunter2",
        "smbclient //nas/audio -U user%hunter2",
        "PASSWORD=`printf hunter2` exec app",
        "PASSWORD=$(base64 -d <<< aHVudGVyMg==) exec app",
        "id=$(curl -u me:hunter2 http://app/) exec app",
        "id=$(app --password=hunter2) exec app",
        "echo $(cat x) `TOKEN=hunter2 app`",
    ],
)
def test_a_command_with_credentials(command: str) -> None:
    assert ask(container(command=["sh", "-c", command])).broken == {"no-plain-secrets"}
    assert ask(container(healthcheck={"tests": ["CMD-SHELL", command]})).broken == {"no-plain-secrets"}
    if not {*"$`<"} & {*command}:
        assert ask(container(command=shlex.split(command))).broken == {"no-plain-secrets"}


@pytest.mark.parametrize(
    "command",
    [
        'curl -H "Authorization: Bearer $(cat /run/secrets/token)" http://app/',
        'curl -u "me:$PASSWORD" http://app/',
        "curl http://app/?token=$TOKEN",
        "psql 'host=db user=app sslmode=verify-full'",
        "celery -A taifish worker --concurrency=4",
        "PASSWORD=$(cat /run/secrets/x) exec app",
        'curl -H "X-Api-Key: $API_KEY" -H "Accept: text/html" http://app:80/',
        'curl -H "X-Api-Key: $(cat /run/secrets/key)" -H "Host: localhost" http://app/',
        'curl -H "Authorization: Bearer $TOKEN" -H "Authorization: Basic" http://app/',
        "docker login -u me --password-stdin registry.example.com",
        "mongosh -u root --port 27017 --eval x",
        "openssl rsa -in key.pem -passin file:/run/secrets/x",
        "smbclient //nas/audio -A /run/secrets/smb",
        "python -c 'import http'; app key:value",
        "export MYSQL_PWD=$(cat /run/secrets/x); mysqladmin ping",
        "PASSWORD=`cat /run/secrets/x` exec app",
        "MYSQL_PWD=$(tr -d '\\n' < /run/secrets/x) mysqladmin ping",
        "PASSWORD=$(cat $(ls /run/secrets/db*)) exec app",
        "key=$1; app",
        'token=$(curl -s http://idp/token); curl -H "Authorization: Bearer $token" http://app/',
        "while read password; do app --password=$password; done < /run/secrets/all",
        "etcd --auth-token simple",
        "redis-cli -a `cat /run/secrets/redis` ping",
        "psql postgres://a:$(cat /run/secrets/db)@h/",
    ],
)
def test_a_command_with_references(command: str) -> None:
    assert ask(container(command=["sh", "-c", command])).violations == []
    assert ask(container(healthcheck={"tests": ["CMD-SHELL", command]})).violations == []


def test_the_options_of_a_volume_are_shown_to_everyone() -> None:
    options = {"type": "cifs", "device": "//10.0.0.5/audio", "o": "username=app,password=hunter2"}
    answer = ask({"driver": "local", "driverOpts": options}, VOLUME)
    assert answer.broken == {"no-plain-secrets"} and "hunter2" not in answer.text
