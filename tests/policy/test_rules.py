"""Each rule: what passes, what does not, and what cannot be known yet."""

import pytest

from policies.rule import CONTAINER, IMAGE, REMOTE_IMAGE, SECURITY_GROUP_RULE, SERVICE, VOLUME
from tests.policy.pack import UNKNOWN, ask, container, rules, secret, service


def test_sound_resources_pass() -> None:
    for inputs, kind in ((container(), CONTAINER), (service(), SERVICE)):
        answer = ask(inputs, kind)
        assert (answer.violations, answer.pending) == ([], [])


def test_other_resources_are_none_of_its_business() -> None:
    assert ask({"privileged": True, "ports": UNKNOWN}, "random:index/randomId:RandomId").violations == []


def port(external: object, ip: object = None, internal: int = 80) -> dict[str, object]:
    given = {"internal": internal, "external": external, "ip": ip}
    return {key: value for key, value in given.items() if value is not None}


def opening(ports: object, source: object = "0.0.0.0/0", **changes: object) -> dict[str, object]:
    """A rule of a security group that accepts TCP."""
    given = {"type": "ingress", "ipProtocol": "tcp", "portRange": ports, "cidrIp": source, **changes}
    return {key: value for key, value in given.items() if value is not None}


VIOLATIONS = [
    # rule, inputs, type, what the message must name
    *(
        (
            "no-borrowed-mounts",
            container(volumes=[{"fromContainer": name}]),
            CONTAINER,
            [f"volumes[0].fromContainer is '{name}'"],
        )
        for name in ("portainer", "portainer:ro", "web-carrier-0a1b2c3:ro", "0a1b2c3d4e5f")
    ),
    (
        "public-ports",
        container(ports=[port(5432)]),
        CONTAINER,
        ["ports[0].external is 5432", "every address"],
    ),
    ("public-ports", container(ports=[port(6379, "0.0.0.0")]), CONTAINER, ["6379", "on 0.0.0.0"]),
    ("public-ports", container(ports=[port(80), port(3000, "::")]), CONTAINER, ["ports[1].external is 3000"]),
    ("public-ports", container(ports=[port(3000, "10.0.0.5")]), CONTAINER, ["10.0.0.5", "127.0.0.1"]),
    ("public-ports", container(ports=[port(3000, "::ffff:10.0.0.5")]), CONTAINER, ["::ffff:10.0.0.5"]),
    ("public-ports", container(ports=[port(3000, "localhost")]), CONTAINER, ["on localhost"]),
    ("public-ports", container(ports=[port(None)]), CONTAINER, ["not set", "Docker would choose"]),
    ("public-ports", container(ports=[port(0, "0.0.0.0")]), CONTAINER, ["is 0"]),
    ("public-ports", container(ports=[port("8009-8010")]), CONTAINER, ["8009-8010"]),
    ("public-ports", container(publishAllPorts=True), CONTAINER, ["publishAllPorts is True"]),
    (
        "public-ports",
        {**service(), "endpointSpec": {"ports": [{"targetPort": 80, "publishedPort": 8093}]}},
        SERVICE,
        ["endpointSpec.ports[0].publishedPort is 8093", "ingress mode"],
    ),
    (
        "public-ports",
        {**service(), "endpointSpec": {"ports": [{"targetPort": 80, "publishMode": "host"}]}},
        SERVICE,
        ["host mode", "not set"],
    ),
    *(
        ("public-firewall", rule, SECURITY_GROUP_RULE, named)
        for rule, named in (
            (opening("22/22"), ["portRange is '22/22'", "open to '0.0.0.0/0'", "TCP 80, 443 and 8010"]),
            (opening("1/65535"), ["'1/65535'"]),
            (opening("80/443"), ["'80/443'"]),
            (opening("443/80"), ["'443/80'"]),
            (opening("-1/-1"), ["'-1/-1'"]),
            (opening(None), ["portRange is not set"]),
            (opening("8093/8093", "0.0.0.0/1"), ["open to '0.0.0.0/1'"]),
            (opening("8000/8000", "128.0.0.0/1"), ["open to '128.0.0.0/1'"]),
            (opening("22/22", "8.0.0.0/8"), ["'8.0.0.0/8'"]),
            (opening("22/22", "everybody"), ["'everybody'"]),
            (opening("22/22", None), ["open to not set"]),
            (opening("22/22", None, prefixListId="pl-1"), ["open to 'pl-1'"]),
            (opening("22/22", None, ipv6CidrIp="::/0"), ["'::/0'"]),
            (opening("22/22", None, ipv6CidrIp="::ffff:0:0/96"), ["'::ffff:0:0/96'"]),
            (opening("22/22", sourceSecurityGroupId="sg-1"), ["open to '0.0.0.0/0'"]),
            (opening("22/22", "10.0.0.0/8", ipv6CidrIp="::/0"), ["'::/0'"]),
            (opening("22/22", UNKNOWN, ipv6CidrIp="::/0"), ["'::/0'"]),
            (opening("22/22", "10.0.0.0/8", prefixListId="pl-1"), ["open to 'pl-1'"]),
            (opening("443/443", ipProtocol="udp"), ["ipProtocol is 'udp'"]),
            (opening("-1/-1", ipProtocol="all"), ["ipProtocol is 'all'"]),
        )
    ),
    ("no-privileged", container(privileged=True), CONTAINER, ["privileged is True"]),
    ("no-privileged", container(capabilities={"adds": ["CAP_ALL"]}), CONTAINER, ["capabilities.adds[0]"]),
    ("no-privileged", service(containerSpec__capAdds=["NET_ADMIN", "ALL"]), SERVICE, ["capAdds[1] is 'ALL'"]),
    ("no-host-namespaces", container(networkMode="host"), CONTAINER, ["networkMode is 'host'"]),
    ("no-host-namespaces", container(pidMode="host"), CONTAINER, ["pidMode is 'host'"]),
    ("no-host-namespaces", container(ipcMode="host"), CONTAINER, ["ipcMode is 'host'"]),
    ("no-host-namespaces", container(usernsMode="host"), CONTAINER, ["usernsMode is 'host'"]),
    (
        "no-host-namespaces",
        container(networksAdvanced=[{"name": "host"}]),
        CONTAINER,
        ["networksAdvanced[0].name is 'host'"],
    ),
    ("no-host-namespaces", service(networksAdvanceds=[{"name": "host"}]), SERVICE, ["networksAdvanceds[0]"]),
    (
        "no-docker-socket",
        container(mounts=[{"type": "bind", "source": "/var/run/docker.sock", "target": "/d"}]),
        CONTAINER,
        ["mounts[0].source is '/var/run/docker.sock'"],
    ),
    (
        "no-docker-socket",
        container(volumes=[{"hostPath": "/run", "containerPath": "/r"}]),
        CONTAINER,
        ["'/run'"],
    ),
    ("no-docker-socket", container(volumes=[{"volumeName": "/", "containerPath": "/h"}]), CONTAINER, ["'/'"]),
    (
        "no-docker-socket",
        container(mounts=[{"volumeOptions": {"driverOptions": {"o": "bind", "device": "/var/run"}}}]),
        CONTAINER,
        ["driverOptions.device"],
    ),
    ("no-docker-socket", {"driverOpts": {"o": "bind", "device": "//run//"}}, VOLUME, ["driverOpts.device"]),
    (
        "no-docker-socket",
        service(containerSpec__mounts=[{"source": "/run/../run"}]),
        SERVICE,
        ["mounts[0].source"],
    ),
    *(
        (
            "no-privileged",
            container(capabilities={"adds": [name]}),
            CONTAINER,
            [f"capabilities.adds[0] is '{name}'"],
        )
        for name in (
            *(
                "SYS_ADMIN",
                "CAP_SYS_ADMIN",
                "sys_ptrace",
                "SYS_MODULE",
                "SYS_RAWIO",
                "DAC_READ_SEARCH",
                "NET_ADMIN",
            ),
            *("BPF", "PERFMON", "SYS_TIME", "MAC_ADMIN", "SYS_BOOT", "SYSLOG", "NEW_AND_UNKNOWN"),
        )
    ),
    ("no-privileged", service(containerSpec__capAdds=["SYS_ADMIN"]), SERVICE, ["capAdds[0] is 'SYS_ADMIN'"]),
    *(
        (
            "no-host-namespaces",
            container(**{mode: "container:web"}),
            CONTAINER,
            [f"{mode} is 'container:web'"],
        )
        for mode in ("networkMode", "pidMode", "ipcMode")
    ),
    ("no-host-namespaces", container(cgroupnsMode="host"), CONTAINER, ["cgroupnsMode is 'host'"]),
    *(
        ("no-host-devices", container(devices=[{"hostPath": path}]), CONTAINER, ["devices[0].hostPath", path])
        for path in ("/dev/sda", "/dev/mem", "/dev", "/dev/dri/../sda", "/dev/nvme0n1", "/dev/fuse", "sda")
    ),
    *(
        ("confinement", container(securityOpts=["no-new-privileges", option]), CONTAINER, ["securityOpts[1]"])
        for option in (
            *("seccomp=unconfined", "seccomp:unconfined", "apparmor=unconfined", "systempaths=unconfined"),
            *("label=disable", "label:disable", "label=type:spc_t", "no-new-privileges:false"),
            'seccomp={"defaultAction": "SCMP_ACT_ALLOW"}',
        )
    ),
    *(
        ("confinement", container(cgroupParent=parent), CONTAINER, ["cgroupParent is"])
        for parent in ("/", "//", ".", "/apps/..", "system.slice", "/init.scope")
    ),
    (
        "confinement",
        service(containerSpec__privileges={"seLinuxContext": {"disable": True}}),
        SERVICE,
        ["seLinuxContext.disable is True"],
    ),
    (
        "no-host-folders",
        container(volumes=[{"hostPath": "/etc/", "containerPath": "/e", "readOnly": True}]),
        CONTAINER,
        ["volumes[0].hostPath is '/etc/'"],
    ),
    (
        "no-host-folders",
        {"driverOpts": {"type": "none", "o": "bind", "device": "/root"}},
        VOLUME,
        ["'/root'"],
    ),
    (
        "no-host-folders",
        {"driverOpts": {"type": "overlay", "device": "overlay"}},
        VOLUME,
        ["type is 'overlay'"],
    ),
    ("no-host-folders", service(containerSpec__mounts=[{"source": "/proc"}]), SERVICE, ["mounts[0].source"]),
    *(
        ("health-check", container(healthcheck={"tests": tests}), CONTAINER, ["passes whatever"])
        for tests in (
            *(["CMD", "true"], ["CMD", "/bin/true"], ["CMD", "echo", "ok"], ["CMD", "sh", "-c", "exit 0"]),
            *(
                ["CMD-SHELL", script]
                for script in ("exit 0", "exit", ":", "true", "probe URL || true", "probe; :")
            ),
            *(
                ["CMD-SHELL", script]
                for script in ("curl x || exit 0", "/bin/true", "echo fine", "a;b\nexit 0 ;")
            ),
        )
    ),
    ("health-check", service(containerSpec__healthcheck={"tests": ["CMD", "true"]}), SERVICE, ["whatever"]),
    ("health-check", container(healthcheck=None), CONTAINER, ["healthcheck.tests is not set"]),
    ("health-check", container(healthcheck={"tests": []}), CONTAINER, ["is []"]),
    ("health-check", container(healthcheck={"tests": ["NONE"]}), CONTAINER, ["['NONE']"]),
    ("health-check", container(healthcheck={"tests": ["CMD"]}), CONTAINER, ["['CMD']"]),
    ("health-check", service(containerSpec__healthcheck={}), SERVICE, ["healthcheck.tests is not set"]),
    ("limits", container(memory=None), CONTAINER, ["memory is not set"]),
    ("limits", container(memory=0), CONTAINER, ["memory is 0"]),
    ("limits", container(cpus=None, cpuShares=512), CONTAINER, ["cpus is not set"]),
    ("limits", container(cpus="none"), CONTAINER, ["cpus is 'none'"]),
    (
        "limits",
        service(resources={}),
        SERVICE,
        ["limits.memoryBytes is not set", "limits.nanoCpus is not set"],
    ),
    ("restart", container(restart=None), CONTAINER, ["restart is not set", "unless-stopped"]),
    ("restart", container(restart="no"), CONTAINER, ["restart is 'no'"]),
    ("restart", service(restartPolicy__condition="none"), SERVICE, ["condition is 'none'"]),
    ("log-rotation", container(logDriver=None), CONTAINER, ["logDriver is not set", "json-file"]),
    ("log-rotation", container(logDriver="journald"), CONTAINER, ["'journald'"]),
    ("log-rotation", container(logOpts={"max-size": "10m"}), CONTAINER, ["logOpts.max-file is not set"]),
    ("log-rotation", container(logOpts={"max-size": "-1", "max-file": "3"}), CONTAINER, ["max-size is '-1'"]),
    ("log-rotation", service(logDriver={"name": "local"}), SERVICE, ["logDriver.options.max-size"]),
    (
        "no-plain-secrets",
        container(envs=["DB_PASSWORD=hunter2"]),
        CONTAINER,
        ["envs[0] (DB_PASSWORD)", "_FILE"],
    ),
    (
        "no-plain-secrets",
        container(envs=["A=b", "X=LTAI5tabcdefghijkl"]),
        CONTAINER,
        ["envs[1] (X)", "Alibaba"],
    ),
    (
        "no-plain-secrets",
        container(envs=["LEVEL=" + "x", secret("NAME=v")]),
        CONTAINER,
        ["marked as a secret"],
    ),
    ("no-plain-secrets", container(envs=secret(["NAME=v"])), CONTAINER, ["envs[0] (NAME)"]),
    (
        "no-plain-secrets",
        container(command=["redis-server", "--requirepass", "hunter2"]),
        CONTAINER,
        ["command[2]"],
    ),
    ("no-plain-secrets", container(command=["app", "--api-key=abcdef"]), CONTAINER, ["command[1]"]),
    ("no-plain-secrets", container(entrypoints=["sh", "-c", "TOKEN=abc run"]), CONTAINER, ["entrypoints[2]"]),
    (
        "no-plain-secrets",
        container(healthcheck={"tests": ["CMD-SHELL", "redis-cli --pass hunter2 ping"]}),
        CONTAINER,
        ["healthcheck.tests[1]"],
    ),
    (
        "no-plain-secrets",
        container(labels=[{"label": "com.example.api-token", "value": "abcdef"}]),
        CONTAINER,
        ["labels[0].value (com.example.api-token)"],
    ),
    ("no-plain-secrets", service(containerSpec__env={"JWT_SECRET": "abc"}), SERVICE, ["env.JWT_SECRET"]),
    ("no-plain-secrets", service(containerSpec__args=["--token", "abc"]), SERVICE, ["args[1]"]),
    (
        "no-plain-secrets",
        {"build": {"args": {"NPM_TOKEN": "abc"}}},
        IMAGE,
        ["build.args.NPM_TOKEN", "history"],
    ),
    ("no-plain-secrets", {"build": {"buildArgs": {"PIP_URL": "https://u:pw@h/"}}}, REMOTE_IMAGE, ["a URL"]),
]


@pytest.mark.parametrize(("rule", "inputs", "kind", "named"), VIOLATIONS)
def test_violation_is_reported_by_its_rule_alone(
    rule: str, inputs: dict[str, object], kind: str, named: list[str]
) -> None:
    answer = ask(inputs, kind)
    assert answer.broken == {rule}
    assert answer.pending == []
    for text in ["web: ", "Fix: ", *named]:
        assert text in answer.text


def test_every_rule_has_a_failing_case() -> None:
    assert {case[0] for case in VIOLATIONS} == {rule.name for rule in rules({})}


PASSES = [
    container(ports=[port(80), port(443, "::"), port(8010, "0.0.0.0"), port("443", "1.2.3.4")]),
    container(
        ports=[port(5432, "127.0.0.1"), port(None, "::1"), port(22, "127.9.9.9"), port(1, "::ffff:127.0.0.1")]
    ),
    container(publishAllPorts=False, privileged=False, capabilities={"adds": ["NET_BIND_SERVICE"]}),
    container(networkMode="none", ipcMode="private", cgroupnsMode="private", cgroupParent="apps.slice"),
    container(securityOpts=["no-new-privileges", "apparmor=docker-default", "label=level:s0:c1,c2"]),
    container(devices=[{"hostPath": "/dev/nvidia0"}, {"hostPath": "/dev/dri/renderD128"}]),
    container(volumes=[{"hostPath": "/srv/data", "containerPath": "/d"}, {"volumeName": "run"}]),
    container(
        mounts=[
            {"type": "bind", "source": "/var/lib/app", "target": "/run"},
            {"type": "tmpfs", "target": "/"},
        ]
    ),
    container(cpus=None, cpuQuota=50000),
    container(restart="on-failure"),
    container(logDriver="local", logOpts={"max-size": "1.5g", "max-file": "1"}),
    container(
        start=False,
        mustRun=False,
        healthcheck=None,
        memory=None,
        cpus=None,
        restart="no",
        logDriver=None,
        logOpts=None,
    ),
    container(mustRun=False, healthcheck=None, restart=None),
    container(envs=["PWD=/app", "PATH=/bin", "KEYS=a", "EMPTY_PASSWORD=", "MYSQL_ALLOW_EMPTY_PASSWORD=yes"]),
    container(envs=["TLS_KEY=/etc/tls/key.pem", "PUBLIC_KEY=abc", "ROUTING_KEY=orders", "MAX_TOKEN=4096"]),
    container(
        envs=["REDIS_URL=redis://redis:6379/0", "SITE=https://me@host/", secret("PASSWORD_FILE=/run/x")]
    ),
    container(envs=["DSN=postgres://app:$PASSWORD@db/app", "TOKEN=$TOKEN", "NOTHING"]),
    container(command=["sh", "-c", 'exec redis-server --requirepass "$(cat /run/secrets/redis)"']),
    container(
        command=[
            "app",
            "--token-file",
            "/run/secrets/token",
            "--password",
            "--verbose",
            "--key=/etc/tls/app.key",
        ]
    ),
    container(mounts=[{"source": "/etc/localtime", "target": "/etc/localtime", "readOnly": True}]),
    *(
        container(healthcheck={"tests": tests})
        for tests in (
            *(["CMD", "probe", "x"], ["CMD", "pg_isready"], ["CMD", "sh", "-c", "probe x || exit 1"]),
            *(["CMD-SHELL", s] for s in ("a || exit 1; exit 0", "set -e; a; true", "a && true", "true && a")),
            *(["CMD-SHELL", s] for s in ("echo ruok | nc localhost 2181", "echo > /dev/tcp/127.0.0.1/80")),
        )
    ),
    container(labels=[{"label": "berth.system", "value": "gateway"}]),
]


@pytest.mark.parametrize("inputs", PASSES)
def test_sound_variants_pass(inputs: dict[str, object]) -> None:
    answer = ask(inputs)
    assert (answer.violations, answer.pending) == ([], [])


@pytest.mark.parametrize(
    "inputs",
    [
        *(opening(f"{number}/{number}") for number in (80, 443, 8010)),
        opening("443/443", None, ipv6CidrIp="::/0"),
        opening("22/22", "203.0.113.0/24"),
        opening("8093/8093", "10.20.0.0/16"),
        opening("-1/-1", "10.1.2.3/8", ipProtocol="all"),
        opening("22/22", None, ipv6CidrIp="2001:db8:1::/48"),
        opening("22/22", None, sourceSecurityGroupId="sg-1"),
        opening("-1/-1", ipProtocol="all", policy="drop"),
        opening("-1/-1", ipProtocol="all", type="egress"),
        opening("22/22", "10.0.0.0/8", policy=UNKNOWN),
    ],
)
def test_a_firewall_may_open_what_is_public_or_stated(inputs: dict[str, object]) -> None:
    answer = ask(inputs, SECURITY_GROUP_RULE)
    assert (answer.violations, answer.pending) == ([], [])


def test_a_job_is_still_bounded() -> None:
    job = container(mustRun=False, restart="no", healthcheck=None, memory=None, logDriver=None)
    assert ask(job).broken == {"limits", "log-rotation"}


def test_a_container_that_may_start_later_is_judged_in_full() -> None:
    assert ask(container(start=False, healthcheck=None)).broken == {"health-check"}
    assert "restart" not in ask(container(start=False, mustRun=False, restart="always")).broken
    assert ask(container(start=False, mustRun=False, restart="always", memory=None)).broken == {"limits"}


PENDING = [
    (
        "no-borrowed-mounts",
        container(volumes=[{"fromContainer": UNKNOWN}]),
        CONTAINER,
        "volumes[0].fromContainer",
    ),
    ("public-ports", container(ports=[port(UNKNOWN)]), CONTAINER, "ports[0].external"),
    ("public-ports", container(ports=[port(5432, UNKNOWN)]), CONTAINER, "ports[0].ip"),
    ("public-ports", container(ports=UNKNOWN), CONTAINER, "ports"),
    ("public-ports", {**service(), "endpointSpec": UNKNOWN}, SERVICE, "endpointSpec"),
    ("public-firewall", opening("22/22", UNKNOWN), SECURITY_GROUP_RULE, "cidrIp"),
    ("public-firewall", opening(UNKNOWN), SECURITY_GROUP_RULE, "portRange"),
    ("public-firewall", opening("80/80", ipProtocol=UNKNOWN), SECURITY_GROUP_RULE, "ipProtocol"),
    ("public-firewall", opening("22/22", policy=UNKNOWN), SECURITY_GROUP_RULE, "policy"),
    ("no-privileged", container(privileged=UNKNOWN), CONTAINER, "privileged"),
    ("no-privileged", container(capabilities={"adds": [UNKNOWN]}), CONTAINER, "capabilities.adds[0]"),
    ("no-host-namespaces", container(networkMode=UNKNOWN), CONTAINER, "networkMode"),
    (
        "no-host-namespaces",
        container(networksAdvanced=[{"name": UNKNOWN}]),
        CONTAINER,
        "networksAdvanced[0].name",
    ),
    ("no-docker-socket", container(volumes=[{"hostPath": UNKNOWN}]), CONTAINER, "volumes[0].hostPath"),
    ("no-docker-socket", {"driverOpts": UNKNOWN}, VOLUME, "driverOpts.device"),
    ("no-host-folders", container(mounts=UNKNOWN), CONTAINER, "mounts.source"),
    (
        "no-host-folders",
        container(mounts=[{"source": "/usr/share/zoneinfo", "readOnly": UNKNOWN}]),
        CONTAINER,
        "mounts[0].readOnly",
    ),
    ("no-host-devices", container(devices=UNKNOWN), CONTAINER, "devices.hostPath"),
    ("confinement", container(securityOpts=[UNKNOWN]), CONTAINER, "securityOpts[0]"),
    ("health-check", container(healthcheck={"tests": ["CMD", UNKNOWN]}), CONTAINER, "healthcheck.tests[1]"),
    ("limits", container(memory=UNKNOWN), CONTAINER, "memory"),
    ("limits", container(cpus=UNKNOWN), CONTAINER, "cpus"),
    ("limits", service(resources__limits__nanoCpus=UNKNOWN), SERVICE, "nanoCpus"),
    ("restart", service(restartPolicy=UNKNOWN), SERVICE, "restartPolicy.condition"),
    ("log-rotation", container(logOpts=UNKNOWN), CONTAINER, "logOpts.max-size, logOpts.max-file"),
    ("no-plain-secrets", container(envs=["A=b", UNKNOWN]), CONTAINER, "envs[1]"),
    ("no-plain-secrets", container(command=secret(UNKNOWN)), CONTAINER, "command"),
    ("no-plain-secrets", container(labels=[{"label": "a", "value": UNKNOWN}]), CONTAINER, "labels[0].value"),
    ("no-plain-secrets", {"build": {"args": {"TOKEN": UNKNOWN}}}, IMAGE, "build.args.TOKEN"),
]


@pytest.mark.parametrize(("rule", "inputs", "kind", "path"), PENDING)
def test_what_is_unknown_is_named_and_not_passed(
    rule: str, inputs: dict[str, object], kind: str, path: str
) -> None:
    answer = ask(inputs, kind)
    assert answer.violations == []
    assert rule in {name for name, _ in answer.pending}
    assert any(path in message and "checked by the update" in message for _, message in answer.pending)


def test_mounts_of_a_container_that_was_judged_itself_may_be_borrowed() -> None:
    def borrowed(name: str) -> set[str]:
        return ask(container(volumes=[{"fromContainer": name}])).broken

    assert ask(container(name="lender-config-carrier-0a1b2c3")).broken == set()
    assert borrowed("lender-config-carrier-0a1b2c3:ro") == set()
    # Replaced after it was judged: the engine draws the digits anew, and asks no second time.
    assert borrowed("lender-config-carrier-9f8e7d6:ro") == set()
    assert ask(container(name="lender")).broken == set()
    assert borrowed("lender") == set()
    for other in ("lender-0a1b2c3", "lender-config-carrier", "lender-config-carrier-x", "lender2"):
        assert borrowed(other) == {"no-borrowed-mounts"}, other


def test_unknown_restart_leaves_everything_that_depends_on_it_open() -> None:
    pending = {rule for rule, _ in ask(container(restart=UNKNOWN)).pending}
    assert pending == {"health-check", "limits", "restart", "log-rotation"}


def test_an_unknown_value_does_not_hide_a_known_violation() -> None:
    answer = ask(container(ports=[port(UNKNOWN), port(5432)], envs=[UNKNOWN, "DB_PASSWORD=hunter2"]))
    assert answer.broken == {"public-ports", "no-plain-secrets"}
    assert {rule for rule, _ in answer.pending} == {"public-ports", "no-plain-secrets"}


def test_an_unknown_address_does_not_matter_for_a_public_port() -> None:
    assert ask(container(ports=[port(8010, UNKNOWN), port(UNKNOWN, "127.0.0.1")])).pending == []


def test_no_message_shows_a_secret() -> None:
    hidden = "correct-horse-battery"
    inputs = container(
        envs=[f"DB_PASSWORD={hidden}", secret(f"X={hidden}"), f"U=https://a:{hidden}@h/"],
        command=["--token", hidden, f"--password={hidden}"],
        labels=[{"label": "secret", "value": hidden}],
        networkMode=secret("host"),
    )
    answer = ask(inputs)
    assert len(answer.violations) == 7
    assert hidden not in answer.text
