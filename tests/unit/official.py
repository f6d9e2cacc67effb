"""What the official provider (docker 5.1.0) decides about each input that this plugin serves.

A block that holds a part which needs a new object needs one itself when it comes or goes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Official:
    """Paths of inputs: by decision, those that the engine completes, those with a suppressed difference."""

    replace: str = ""
    update: str = ""
    computed: str = ""
    suppressed: str = ""
    defaults: dict[str, Any] = field(default_factory=dict)


OFFICIAL = {
    "container": Official(
        replace="""
            capabilities capabilities.adds capabilities.drops cgroupParent cgroupnsMode command cpus
            deviceRequests deviceRequests.capabilities deviceRequests.count deviceRequests.deviceIds
            deviceRequests.driver deviceRequests.options devices devices.containerPath
            devices.hostPath devices.permissions dns dnsOpts dnsSearches domainname entrypoints envs
            gpus groupAdds hostname hosts hosts.host hosts.ip image ipcMode labels labels.label
            labels.value logDriver logOpts mounts mounts.tmpfsOptions mounts.volumeOptions
            mounts.volumeOptions.labels mounts.volumeOptions.labels.label
            mounts.volumeOptions.labels.value mounts.volumeOptions.subpath name networkMode
            networksAdvanced networksAdvanced.aliases networksAdvanced.driverOpts
            networksAdvanced.gwPriority networksAdvanced.ipv4Address networksAdvanced.ipv6Address
            networksAdvanced.linkLocalIps networksAdvanced.macAddress networksAdvanced.name pidMode
            platform ports ports.external ports.internal ports.ip ports.protocol privileged
            publishAllPorts readOnly runtime securityOpts shmSize stdinOpen stopSignal stopTimeout
            storageOpts sysctls tty ulimits ulimits.hard ulimits.name ulimits.soft uploads
            uploads.content uploads.contentBase64 uploads.executable uploads.file
            uploads.permissions uploads.source uploads.sourceHash user usernsMode volumes
            volumes.containerPath volumes.fromContainer volumes.hostPath volumes.readOnly
            volumes.selinuxRelabel volumes.volumeName workingDir
        """,
        update="""
            attach containerReadRefreshTimeoutMilliseconds cpuPeriod cpuQuota cpuSet cpuShares
            destroyGraceSeconds deviceReadBps deviceReadBps.path deviceReadBps.rate deviceReadIops
            deviceReadIops.path deviceReadIops.rate deviceWriteBps deviceWriteBps.path
            deviceWriteBps.rate deviceWriteIops deviceWriteIops.path deviceWriteIops.rate
            healthcheck healthcheck.interval healthcheck.retries healthcheck.startInterval
            healthcheck.startPeriod healthcheck.tests healthcheck.timeout init logs maxRetryCount
            memory memoryReservation memorySwap mounts.bindOptions mounts.bindOptions.propagation
            mounts.readOnly mounts.source mounts.target mounts.tmpfsOptions.mode
            mounts.tmpfsOptions.sizeBytes mounts.type mounts.volumeOptions.driverName
            mounts.volumeOptions.driverOptions mounts.volumeOptions.noCopy mustRun removeVolumes
            restart rm start tmpfs wait waitTimeout
        """,
        computed="""
            command entrypoints envs healthcheck hostname init ipcMode labels logDriver platform
            ports.external runtime securityOpts shmSize stopSignal stopTimeout
        """,
        suppressed="ports user workingDir",
        defaults={
            "attach": False,
            "containerReadRefreshTimeoutMilliseconds": 15000,
            "deviceRequests.count": 0,
            "deviceRequests.driver": "cdi",
            "devices.permissions": "rwm",
            "healthcheck.interval": "0s",
            "healthcheck.retries": 0,
            "healthcheck.startInterval": "0s",
            "healthcheck.startPeriod": "0s",
            "healthcheck.timeout": "0s",
            "logs": False,
            "memoryReservation": 0,
            "mustRun": True,
            "networkMode": "bridge",
            "ports.ip": "0.0.0.0",
            "ports.protocol": "tcp",
            "readOnly": False,
            "removeVolumes": True,
            "restart": "no",
            "rm": False,
            "start": True,
            "stdinOpen": False,
            "tty": False,
            "uploads.executable": False,
            "wait": False,
            "waitTimeout": 60,
        },
    ),
    "network": Official(
        replace="""
            attachable driver ingress internal ipamConfigs ipamConfigs.auxAddress
            ipamConfigs.gateway ipamConfigs.ipRange ipamConfigs.subnet ipamDriver ipamOptions ipv6
            labels labels.label labels.value name options
        """,
        computed="driver internal ipamConfigs options",
        defaults={
            "ipamDriver": "default",
        },
    ),
    "remote_image": Official(
        replace="""
            build build.buildArgs build.cacheFroms build.cgroupParent build.context build.cpuPeriod
            build.cpuQuota build.cpuSetCpus build.cpuSetMems build.cpuShares build.dockerfile
            build.extraHosts build.forceRemove build.isolation build.labels build.memory
            build.memorySwap build.networkMode build.noCache build.platform build.provenance
            build.pullParent build.sbom build.securityOpts build.shmSize build.squash
            build.suppressOutput build.target build.ulimits build.ulimits.hard build.ulimits.name
            build.ulimits.soft build.useLegacyBuilder build.version name platform pullTriggers
            triggers
        """,
        update="""
            build.authConfigs build.authConfigs.auth build.authConfigs.email
            build.authConfigs.hostName build.authConfigs.identityToken build.authConfigs.password
            build.authConfigs.registryToken build.authConfigs.serverAddress
            build.authConfigs.userName build.label build.remove build.tags forceRemove keepLocally
        """,
        defaults={
            "build.dockerfile": "Dockerfile",
            "build.remove": True,
            "build.useLegacyBuilder": False,
            "platform": "",
        },
    ),
    "service": Official(
        replace="""
            auth auth.password auth.serverAddress auth.username mode name taskSpec
            taskSpec.containerSpec taskSpec.containerSpec.hosts taskSpec.containerSpec.hosts.host
            taskSpec.containerSpec.hosts.ip taskSpec.containerSpec.labels
            taskSpec.containerSpec.labels.label taskSpec.containerSpec.labels.value
            taskSpec.containerSpec.mounts taskSpec.containerSpec.mounts.volumeOptions
            taskSpec.containerSpec.mounts.volumeOptions.labels
            taskSpec.containerSpec.mounts.volumeOptions.labels.label
            taskSpec.containerSpec.mounts.volumeOptions.labels.value taskSpec.containerSpec.sysctl
            taskSpec.networksAdvanceds taskSpec.networksAdvanceds.aliases
            taskSpec.networksAdvanceds.driverOpts taskSpec.networksAdvanceds.id
            taskSpec.networksAdvanceds.name
        """,
        update="""
            convergeConfig convergeConfig.delay convergeConfig.timeout endpointSpec
            endpointSpec.mode endpointSpec.ports endpointSpec.ports.name endpointSpec.ports.protocol
            endpointSpec.ports.publishMode endpointSpec.ports.publishedPort
            endpointSpec.ports.targetPort labels labels.label labels.value mode.global
            mode.replicated mode.replicated.replicas rollbackConfig rollbackConfig.delay
            rollbackConfig.failureAction rollbackConfig.maxFailureRatio rollbackConfig.monitor
            rollbackConfig.order rollbackConfig.parallelism taskSpec.containerSpec.args
            taskSpec.containerSpec.capAdds taskSpec.containerSpec.capDrops
            taskSpec.containerSpec.commands taskSpec.containerSpec.configs
            taskSpec.containerSpec.configs.configId taskSpec.containerSpec.configs.configName
            taskSpec.containerSpec.configs.fileGid taskSpec.containerSpec.configs.fileMode
            taskSpec.containerSpec.configs.fileName taskSpec.containerSpec.configs.fileUid
            taskSpec.containerSpec.dir taskSpec.containerSpec.dnsConfig
            taskSpec.containerSpec.dnsConfig.nameservers taskSpec.containerSpec.dnsConfig.options
            taskSpec.containerSpec.dnsConfig.searches taskSpec.containerSpec.env
            taskSpec.containerSpec.groups taskSpec.containerSpec.healthcheck
            taskSpec.containerSpec.healthcheck.interval taskSpec.containerSpec.healthcheck.retries
            taskSpec.containerSpec.healthcheck.startPeriod taskSpec.containerSpec.healthcheck.tests
            taskSpec.containerSpec.healthcheck.timeout taskSpec.containerSpec.hostname
            taskSpec.containerSpec.image taskSpec.containerSpec.init
            taskSpec.containerSpec.isolation taskSpec.containerSpec.mounts.bindOptions
            taskSpec.containerSpec.mounts.bindOptions.propagation
            taskSpec.containerSpec.mounts.readOnly taskSpec.containerSpec.mounts.source
            taskSpec.containerSpec.mounts.target taskSpec.containerSpec.mounts.tmpfsOptions
            taskSpec.containerSpec.mounts.tmpfsOptions.mode
            taskSpec.containerSpec.mounts.tmpfsOptions.sizeBytes taskSpec.containerSpec.mounts.type
            taskSpec.containerSpec.mounts.volumeOptions.driverName
            taskSpec.containerSpec.mounts.volumeOptions.driverOptions
            taskSpec.containerSpec.mounts.volumeOptions.noCopy taskSpec.containerSpec.privileges
            taskSpec.containerSpec.privileges.credentialSpec
            taskSpec.containerSpec.privileges.credentialSpec.file
            taskSpec.containerSpec.privileges.credentialSpec.registry
            taskSpec.containerSpec.privileges.seLinuxContext
            taskSpec.containerSpec.privileges.seLinuxContext.disable
            taskSpec.containerSpec.privileges.seLinuxContext.level
            taskSpec.containerSpec.privileges.seLinuxContext.role
            taskSpec.containerSpec.privileges.seLinuxContext.type
            taskSpec.containerSpec.privileges.seLinuxContext.user taskSpec.containerSpec.readOnly
            taskSpec.containerSpec.secrets taskSpec.containerSpec.secrets.fileGid
            taskSpec.containerSpec.secrets.fileMode taskSpec.containerSpec.secrets.fileName
            taskSpec.containerSpec.secrets.fileUid taskSpec.containerSpec.secrets.secretId
            taskSpec.containerSpec.secrets.secretName taskSpec.containerSpec.stopGracePeriod
            taskSpec.containerSpec.stopSignal taskSpec.containerSpec.user taskSpec.forceUpdate
            taskSpec.logDriver taskSpec.logDriver.name taskSpec.logDriver.options taskSpec.placement
            taskSpec.placement.constraints taskSpec.placement.maxReplicas
            taskSpec.placement.platforms taskSpec.placement.platforms.architecture
            taskSpec.placement.platforms.os taskSpec.placement.prefs taskSpec.resources
            taskSpec.resources.limits taskSpec.resources.limits.memoryBytes
            taskSpec.resources.limits.nanoCpus taskSpec.resources.reservation
            taskSpec.resources.reservation.genericResources
            taskSpec.resources.reservation.genericResources.discreteResourcesSpecs
            taskSpec.resources.reservation.genericResources.namedResourcesSpecs
            taskSpec.resources.reservation.memoryBytes taskSpec.resources.reservation.nanoCpus
            taskSpec.restartPolicy taskSpec.restartPolicy.condition taskSpec.restartPolicy.delay
            taskSpec.restartPolicy.maxAttempts taskSpec.restartPolicy.window taskSpec.runtime
            updateConfig updateConfig.delay updateConfig.failureAction updateConfig.maxFailureRatio
            updateConfig.monitor updateConfig.order updateConfig.parallelism
        """,
        computed="""
            endpointSpec endpointSpec.mode endpointSpec.ports.publishedPort labels mode
            mode.replicated taskSpec.containerSpec.dnsConfig taskSpec.containerSpec.healthcheck
            taskSpec.containerSpec.init taskSpec.containerSpec.stopGracePeriod taskSpec.forceUpdate
            taskSpec.placement taskSpec.resources taskSpec.restartPolicy taskSpec.runtime
        """,
        suppressed="rollbackConfig.maxFailureRatio updateConfig.maxFailureRatio",
        defaults={
            "convergeConfig.delay": "7s",
            "convergeConfig.timeout": "3m",
            "endpointSpec.ports.protocol": "tcp",
            "endpointSpec.ports.publishMode": "ingress",
            "mode.global": False,
            "mode.replicated.replicas": 1,
            "rollbackConfig.delay": "0s",
            "rollbackConfig.failureAction": "pause",
            "rollbackConfig.maxFailureRatio": "0.0",
            "rollbackConfig.monitor": "5s",
            "rollbackConfig.order": "stop-first",
            "rollbackConfig.parallelism": 1,
            "taskSpec.containerSpec.configs.fileGid": "0",
            "taskSpec.containerSpec.configs.fileMode": 0o444,
            "taskSpec.containerSpec.configs.fileUid": "0",
            "taskSpec.containerSpec.healthcheck.interval": "0s",
            "taskSpec.containerSpec.healthcheck.retries": 0,
            "taskSpec.containerSpec.healthcheck.startPeriod": "0s",
            "taskSpec.containerSpec.healthcheck.timeout": "0s",
            "taskSpec.containerSpec.isolation": "default",
            "taskSpec.containerSpec.mounts.bindOptions.propagation": "rprivate",
            "taskSpec.containerSpec.secrets.fileGid": "0",
            "taskSpec.containerSpec.secrets.fileMode": 0o444,
            "taskSpec.containerSpec.secrets.fileUid": "0",
            "updateConfig.delay": "0s",
            "updateConfig.failureAction": "pause",
            "updateConfig.maxFailureRatio": "0.0",
            "updateConfig.monitor": "5s",
            "updateConfig.order": "stop-first",
            "updateConfig.parallelism": 1,
        },
    ),
    "tag": Official(
        replace="sourceImage tagTriggers targetImage",
    ),
    "volume": Official(
        replace="driver driverOpts labels labels.label labels.value name",
        computed="driver name",
    ),
    "image": Official(
        update="""
            build build.addHosts build.args build.builderVersion build.cacheFrom build.cacheFrom.images
            build.context build.dockerfile build.network build.platform build.target buildOnPreview imageName
            registry registry.password registry.server registry.username skipPush
        """,
        defaults={"build.context": ".", "buildOnPreview": False, "skipPush": False},
    ),
}
