"""Which names, values, commands and files are secrets: tables of both sides."""

import base64
import shlex
import time

import pytest

from policies.credentials import secret_in, secret_in_command
from policies.rule import CONTAINER, NETWORK, SERVICE, VOLUME
from policies.secret_names import names_secret, names_secret_file, names_secret_place
from tests.policy.pack import UNKNOWN, ask, container, secret, service


def words(text: str) -> list[str]:
    return text.split()


SECRET_NAMES = words(
    """
    PASSWORD DB_PASSWORD db-password dbPassword PGPASS PGPASSWORD PASSWORD2 PASSWORD_2
    ADMIN_PASSWORD_HASH DB_PWD MYPASS SECRET SECRET_1 SECRET_KEY_V2 SECRET_KEY_BASE JWT_SECRET
    SECRETS CLIENT_SECRET_OLD REDIS_AUTH JWT_SIGNING JWT JWT_KEY_V2 apiKey API_KEY CEREBRAS_API_KEY
    API_KEYS APIKEY ALIYUN_ACCESS_KEY AWS_SECRET_ACCESS_KEY X_PRIVATE_KEY KEY1 SECRET_ID TOKEN
    TOKEN2 GITHUB_TOKEN ACCESS_TOKENS com.example.token requirepass GOOGLE_CREDENTIALS PASSPHRASE_V1
    Passwordv2
    """
)

HARMLESS_NAMES = words(
    """
    PORT PWD OLDPWD KEYBOARD KEYBOARD_LAYOUT KEYS KEY_COUNT TOKENIZER TOKENIZER_MODEL MAX_TOKENS
    MAX_TOKEN TOKEN_TTL PASSENGER_COUNT PASSENGERS AUTHOR AUTHORITY AUTH_URL AUTH_ENABLED PUBLIC_KEY
    PUBLIC_KEY_URL PUBLIC_KEY_V2 CACHE_KEY COMPASS BYPASS SECRETARY PASSWORD_FILE
    PASSWORD_MIN_LENGTH PASSWORD_RESET_URL PASSWORD_ENCRYPTION PASSWORDLESS_LOGIN SECRET_NAME
    SECRETS_DIR TOKEN_URL JWT_ISSUER JWT_ALGORITHM JWT_EXPIRES AWS_ACCESS_KEY_ID PARTITION_KEY
    SORT_KEY_2 RECAPTCHA_SITE_KEY CREDENTIALS_PROVIDER ROUTING_KEY COMMIT_HASH MONKEY TURKEY
    PASSIVE_MODE DESIGNING --password-stdin --no-password prometheus.io/port berth.service
    """
)


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_names_of_secrets(name: str) -> None:
    assert names_secret(name)
    assert ask(container(envs=[f"{name}=hunter2hunter2"])).broken == {"no-plain-secrets"}


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_harmless_names(name: str) -> None:
    assert not names_secret(name)


def test_an_empty_name_says_nothing() -> None:
    assert not names_secret("")
    assert not names_secret_place("CONFIG_FILE")


@pytest.mark.parametrize(
    "value",
    [
        *(
            "$ecret",
            "$Ecret",
            "${x",
            "${A:-hunter2}",
            "$A$B",
            "@dmin123",
            "<hunter2",
            "/var/hunter2",
            "/hunter2",
        ),
        *("/run/secrets", "/etc/x", "$(echo hunter2)", "correct horse"),
    ],
)
def test_what_only_resembles_a_reference_is_a_secret(value: str) -> None:
    assert secret_in("DB_PASSWORD", value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("DB_PASSWORD", value)
            for value in ("$DB_PASSWORD", "${DB_PASSWORD}", "/run/secrets/db", "", "yes")
        ),
        ("DB_PASSWORD_FILE", "/srv/app/db"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/etc/google/key.json"),
        ("TLS_KEY", "/etc/tls/tls.key"),
        ("SMTP_AUTH", "login"),
        ("MYSQL_ALLOW_EMPTY_PASSWORD", "1"),
    ],
)
def test_references_and_choices_pass(name: str, value: str) -> None:
    assert secret_in(name, value) is None


@pytest.mark.parametrize("value", ["hunter2", "$ecret", "run/secrets/x", "/a b"])
def test_a_file_variable_holds_an_absolute_path(value: str) -> None:
    assert secret_in("DB_PASSWORD_FILE", value)
    assert ask(container(envs=[secret(f"DB_PASSWORD_FILE={value}")])).broken == {"no-plain-secrets"}


@pytest.mark.parametrize(
    "command",
    [
        *(
            "mysql -phunter2",
            "mysql -u root -phunter2 -e x",
            "/usr/bin/mysqldump -u x -p'a b'",
            "mariadb-admin -p$ecret",
        ),
        *(
            "redis-cli -a hunter2 ping",
            "sshpass -p hunter2 ssh h",
            "sshpass -phunter2 ssh h",
            "cd / && mysql -ph x",
        ),
        *("psql postgres://a:$ecret@h/", "app --password $(echo hunter2)", "app --jwt-signing abc"),
    ],
)
def test_commands_with_a_secret(command: str) -> None:
    assert secret_in_command(command)
    assert ask(container(command=["sh", "-c", command])).broken == {"no-plain-secrets"}
    assert ask(container(command=shlex.split(command))).broken == {"no-plain-secrets"}


@pytest.mark.parametrize(
    "command",
    [
        *("mysql -p -u root", "mysql --protocol=tcp", "mysqladmin -P 3306 ping", "mysql -p$MYSQL_PASSWORD"),
        *("redis-cli -a $(cat /run/secrets/redis) ping", 'redis-cli -a "$(cat /run/secrets/redis)" ping'),
        *(
            "docker login --password-stdin registry.example.com",
            "psql --no-password app",
            "app -p 8010",
            "mkdir -p /a",
        ),
        *(
            "psql postgres://a:${DB_PASSWORD}@h/",
            "app --token-file /run/secrets/token --key /etc/tls/app.key",
        ),
        *('MYSQL_PWD="$(cat "$MYSQL_PASSWORD_FILE")" mysql', "python -m tokenizer --max-tokens 5"),
    ],
)
def test_commands_without_one(command: str) -> None:
    assert secret_in_command(command) is None
    assert ask(container(command=["sh", "-c", command])).violations == []


SECRET_FILES = words(
    "db_password server.key key.pem api-key.json secrets.yaml token .pgpass aliyun_access_key"
)
PLAIN_FILES = words(
    "app.yaml services.yaml public.key token.py auth.conf keyboard.json password.md nginx.conf"
)


@pytest.mark.parametrize(
    "file", ["/run/secrets/x", "/var/run/secrets/app.yaml", *(f"/app/{f}" for f in SECRET_FILES)]
)
def test_a_secret_file_must_be_marked(file: str) -> None:
    def upload(content: object) -> dict[str, object]:
        return container(uploads=[{"file": file, "content": content}])

    answer = ask(upload("hunter2"))
    assert answer.broken == {"no-plain-secrets"}
    assert "uploads[0].content" in answer.text and file in answer.text and "hunter2" not in answer.text
    assert ask(container(uploads=[{"file": file, "contentBase64": "aHVudGVyMg=="}])).broken
    assert ask(upload(secret("hunter2"))).violations == []
    assert ask(upload(UNKNOWN)).pending
    assert ask(container(uploads=secret([{"file": file, "content": "hunter2"}]))).violations == []


@pytest.mark.parametrize("file", PLAIN_FILES)
def test_other_files_need_no_mark(file: str) -> None:
    assert not names_secret_file(file)
    assert ask(container(uploads=[{"file": f"/app/{file}", "content": "x"}]), CONTAINER).violations == []


def uploaded(file: str, content: object) -> dict[str, object]:
    return container(uploads=[{"file": file, "content": content}])


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("/app/.env", "A=b\nDB_PASSWORD=hunter2\n"),
        ("/app/.env", "export DB_PASSWORD='hunter2'"),
        ("/app/app.yaml", "db:\n  host: db\n  password: hunter2\n"),
        ("/app/app.yaml", "users:\n  - password: 'hunter2'  # of ann\n"),
        ("/app/app.json", '{"port": 1,\n "password": "hunter2",\n "x": 1}'),
        ("/app/app.json", '{"password":"hunter2"}'),
        ("/etc/my.cnf", "[client]\npassword = hunter2"),
        ("/etc/redis.conf", "port 6379\nrequirepass hunter2"),
        ("/etc/redis.conf", "port 6379\nrequirepass hunter2"),
        ("/etc/app.conf", "url = postgres\napi_key = hunter2"),
        ("/app/ca.pem", "x\n-----BEGIN EC PRIVATE KEY-----\nMIIE"),
        ("/app/a.sh", "x -----BEGIN PRIVATE KEY-----"),
        ("/app/app.yaml", "cache: redis://:hunter2@redis:6379/0"),
        ("/app/notes.md", "use LTAI5tQnE1abcdefGHIJ"),
    ],
)
def test_a_file_with_a_secret_in_it_must_be_marked(file: str, content: str) -> None:
    answer = ask(uploaded(file, content))
    assert answer.broken == {"no-plain-secrets"}
    assert file in answer.text and "hunter2" not in answer.text
    encoded = base64.b64encode(content.encode()).decode()
    assert ask(container(uploads=[{"file": file, "contentBase64": encoded}])).broken == {"no-plain-secrets"}
    assert ask(uploaded(file, secret(content))).violations == []


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("/app/.env", "DB_PASSWORD=\nDB_PASSWORD_FILE=/run/secrets/db\n# DB_PASSWORD=example"),
        ("/app/app.yaml", "password: ${DB_PASSWORD}\napi_key: {file: /run/secrets/x}\nkey: home\ntoken: a"),
        ("/app/app.yaml", "secrets:\n  password: |\n  - token\npassword: /run/secrets/db"),
        ("/app/app.yaml", "password: {{ .Password }}\nauth: basic\nmax_tokens: 4096\npassword: null"),
        ("/app/schema.json", '{"password": {"type": "string"}, "token": "string"}'),
        ("/app/en.json", '{"forgot_password": "Forgot your password?"}'),
        ("/etc/pg.conf", "password_encryption = scram-sha-256\nssl_key_file = '/run/secrets/tls'"),
        ("/etc/redis.conf", "requirepass ${REDIS_PASSWORD}"),
        ("/etc/nginx.conf", "proxy_cache_key $uri;\nproxy_set_header Authorization $http_authorization;"),
        ("/app/a.py", "password = read(path)\nsecret='x'"),
        ("/app/a.md", "password: hunter2"),
        ("/app/ca.pem", "-----BEGIN CERTIFICATE-----\nMIIE"),
        ("/app/a.conf", "# see https://user:password@host/"),
        ("/app/a.conf", "a = https://user:{password}@host/\nb = https://user:<password>@host/"),
    ],
)
def test_other_contents_need_no_mark(file: str, content: str) -> None:
    assert ask(uploaded(file, content)).violations == []
    assert ask(container(uploads=[{"file": "/app/x.bin", "contentBase64": "//79/A=="}])).violations == []


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        (CONTAINER, container(logOpts={"max-size": "10m", "max-file": "3", "splunk-token": "hunter2"})),
        (CONTAINER, container(mounts=[{"volumeOptions": {"driverOptions": {"password": "hunter2"}}}])),
        (
            CONTAINER,
            container(mounts=[{"volumeOptions": {"labels": [{"label": "token", "value": "hunter2"}]}}]),
        ),
        (
            SERVICE,
            service(containerSpec__mounts=[{"volumeOptions": {"driverOptions": {"o": "password=hunter2"}}}]),
        ),
        (
            SERVICE,
            service(logDriver__options={"max-size": "10m", "max-file": "3", "splunk-token": "hunter2"}),
        ),
        (VOLUME, {"labels": [{"label": "db.password", "value": "hunter2"}]}),
        (NETWORK, {"labels": [{"label": "db.password", "value": "hunter2"}]}),
        (NETWORK, {"options": {"encryption_key": "hunter2"}}),
        (NETWORK, {"ipamOptions": {"infoblox-password": "hunter2"}}),
    ],
)
def test_no_option_and_no_label_holds_a_secret(kind: str, inputs: dict[str, object]) -> None:
    answer = ask(inputs, kind)
    assert answer.broken == {"no-plain-secrets"} and "hunter2" not in answer.text


def test_options_and_labels_that_are_no_secrets() -> None:
    mount = {
        "volumeOptions": {"driverOptions": {"o": "username=app"}, "labels": [{"label": "a", "value": "b"}]}
    }
    log = {"max-size": "10m", "max-file": "3", "tag": "{{.Name}}", "labels": "berth.stack"}
    assert ask(container(mounts=[mount], logOpts=log)).violations == []
    network = {"options": {"com.docker.network.bridge.name": "b0"}, "labels": [{"label": "a", "value": "b"}]}
    assert ask(network, NETWORK).violations == []


@pytest.mark.parametrize("part", ["x", "a.b-", "a:b@", "://a", "eyJ-", "\n", " "])
def test_the_time_for_a_long_text_grows_with_its_length_only(part: str) -> None:
    text = part * (100_000 // len(part))
    start = time.process_time()
    assert ask(uploaded("/app/a.yaml", text)).violations == []
    assert ask(container(command=["sh", "-c", text])).violations == []
    assert time.process_time() - start < 15  # with a quadratic pattern it is minutes
