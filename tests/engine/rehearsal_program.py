"""Two machines behind one firewall: a web server that the world sees, and a store that only it sees."""

from base64 import b64encode

import pulumi
import pulumi_alicloud as alicloud
import pulumi_docker as docker

config = pulumi.Config()
key_file = config.require("key_file")
zone = alicloud.get_zones(available_resource_creation="VSwitch").zones[0].id
image = alicloud.ecs.get_images(name_regex="^debian_12", owners="system", most_recent=True).images[0].id

network = alicloud.vpc.Network("net", vpc_name="rehearsal", cidr_block="10.0.0.0/16")
switch = alicloud.vpc.Switch("switch", vpc_id=network.id, zone_id=zone, cidr_block="10.0.1.0/24")
key = alicloud.ecs.EcsKeyPair("key", key_pair_name="rehearsal", public_key=config.require("public_key"))
groups = {
    name: alicloud.ecs.SecurityGroup(name, security_group_name=name, vpc_id=network.id)
    for name in ("web", "store")
}


def rule(name, group, ports, **source):
    alicloud.ecs.SecurityGroupRule(
        name,
        security_group_id=groups[group].id,
        type="ingress",
        ip_protocol="tcp",
        port_range=ports,
        **source,
    )


rule("ssh", "web", "22/22", cidr_ip=config.require("operators"))
rule("http", "web", "8010/8010", cidr_ip="0.0.0.0/0")
rule("ssh-inside", "store", "22/22", source_security_group_id=groups["web"].id)
rule("store-inside", "store", "6379/6379", source_security_group_id=groups["web"].id)

machines = {
    name: alicloud.ecs.Instance(
        name, instance_name=name, host_name=name, instance_type="ecs.c7.large", image_id=image,
        vswitch_id=switch.id, security_groups=[groups[name].id], key_name=key.key_pair_name,
        system_disk_category="cloud_essd", http_tokens="required",
    )
    for name in groups
}  # fmt: skip
disk = alicloud.ecs.EcsDisk("data", zone_id=zone, category="cloud_essd", size=20, delete_with_instance=False)
alicloud.ecs.EcsDiskAttachment("data-in-store", disk_id=disk.id, instance_id=machines["store"].id)
eip = alicloud.ecs.EipAddress("eip", bandwidth="5", internet_charge_type="PayByTraffic")
joined = alicloud.ecs.EipAssociation("eip-of-web", allocation_id=eip.id, instance_id=machines["web"].id)

# An instance is Running before cloud-init is through and Docker answers; a command on it says when.
wait = b"cloud-init status --wait; until docker version; do sleep 0.2; done"
command = alicloud.ecs.Command(
    "ready", type="RunShellScript", command_content=b64encode(wait).decode(), timeout=240
)
ready = alicloud.ecs.EcsInvocation(
    "ready",
    command_id=command.id,
    instance_ids=[one.id for one in machines.values()],
    opts=pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="5m")),
)

ssh = ["-i", key_file, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
through = eip.ip_address.apply(lambda address: f"ProxyCommand=ssh {' '.join(ssh)} -W %h:%p root@{address}")
address = {"web": eip.ip_address, "store": machines["store"].primary_ip_address}
ports = {"web": [8010, 8011], "store": [6379, 6380]}
for name in machines:
    engine = docker.Provider(
        f"{name}-docker",
        host=pulumi.Output.concat("ssh://root@", address[name]),
        ssh_opts=ssh if name == "web" else [*ssh, "-o", through],
        opts=pulumi.ResourceOptions(depends_on=[ready, joined]),
    )
    built = docker.Image(
        f"{name}-image",
        image_name="rehearsal:1",
        build=docker.DockerBuildArgs(context="image", builder_version=docker.BuilderVersion.BUILDER_V1),
        skip_push=True, build_on_preview=False,
        opts=pulumi.ResourceOptions(provider=engine),
    )  # fmt: skip
    for port in ports[name]:
        docker.Container(
            f"{name}-{port}",
            image=built.image_name,
            command=["/bin/busybox", "httpd", "-f", "-p", str(port), "-h", "/www"],
            network_mode="host",
            opts=pulumi.ResourceOptions(provider=engine),
        )
pulumi.export("address", eip.ip_address)
pulumi.export("store", address["store"])
