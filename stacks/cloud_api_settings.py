"""`berth:cloud-api`: the audio editor on cloud speech APIs (systems.md, 1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from components.containers.host_paths import host_danger
from components.spec import Spec, default_tag
from components.stores.sizes import Size
from components.units import Cpus, Duration, HttpUrl, Like, Memory, ObjectName
from stacks.edge_settings import PROJECT
from stacks.image_settings import WantedImage
from stacks.secrets import CertificateRequest, SecretRequest
from stacks.store_settings import DatabaseName, MysqlService, RedisService, UserName
from stacks.system import OwnNetwork, ServiceSettings, Sized
from stacks.web_system import WebSystem

MYSQL_ROOT_PASSWORD = SecretRequest("cloud_api_mysql_root_password", "the root password of the database")
MYSQL_PASSWORD = SecretRequest("cloud_api_mysql_password", "the backend's password for the database")
MYSQL_REPLICATION_PASSWORD = SecretRequest(
    "cloud_api_mysql_replication_password", "the replica's password", generated_length=32
)
MYSQL_CERTIFICATE = CertificateRequest(
    "cloud_api_mysql_certificate",
    "the certificate of the database",
    hosts=("mysql", "mysql-replica", "localhost"),
)
REDIS_PASSWORD = SecretRequest("cloud_api_redis_password", "the password of cache, sessions and queue")
COSYVOICE_KEY = SecretRequest("cosyvoice_api_key", "the key for CosyVoice (DashScope)", 8)
GPT_SOVITS_KEY = SecretRequest("gpt_sovits_api_key", "the key for GPT-SoVITS", 8)


class CloudApiNetwork(OwnNetwork):
    """The network of this system."""

    name: ObjectName = "audio-editor-network"


class Clouds(Spec):
    """The real speech APIs; their keys are secrets. One is enough."""

    kind: Literal["cloud"] = "cloud"
    cosyvoice: HttpUrl | None = "https://dashscope.aliyuncs.com/api/v1/services/aigc/text-to-speech"
    gpt_sovits: HttpUrl | None = None
    """Such as `https://api.example.com/gpt-sovits/v1`."""

    @field_validator("gpt_sovits")
    @classmethod
    def _one_speaks(cls, gpt_sovits: str | None, info: ValidationInfo) -> str | None:
        if gpt_sovits is None and "cosyvoice" in info.data and info.data["cosyvoice"] is None:
            raise ValueError(
                "neither cosyvoice nor gpt_sovits is set; allowed: the address of one, or of both"
            )
        return gpt_sovits


class StandIn(Sized):
    """A local program in their place, which speaks with espeak-ng: no account, no network."""

    kind: Literal["stand-in"]
    memory: Memory = Memory("256MiB")


Apis = Annotated[Clouds | StandIn, Field(discriminator="kind"), default_tag("kind", "cloud")]


class FrontendService(ServiceSettings):
    """The single-page application."""

    mode: Literal["production", "development"] = "production"
    """production: the optimised build. development: Vite, with hot reload."""
    replicas: Annotated[int, Field(ge=1, le=20)] = 1

    @field_validator("replicas")
    @classmethod
    def _one_reloads(cls, replicas: int, info: ValidationInfo) -> int:
        if info.data.get("mode") == "development" and replicas > 1:
            raise ValueError(f"{replicas} replicas in development; allowed: 1, each would reload on its own")
        return replicas

    source: Annotated[str, Field(min_length=1)] | None = None
    """In mode development: the folder with the page's sources, shown at once when they change; it lies in the
    image otherwise. A relative path starts at the project; others are the host's."""

    @field_validator("source")
    @classmethod
    def _is_reloaded(cls, source: str | None, info: ValidationInfo) -> str | None:
        if source is None:
            return None
        if info.data.get("mode") == "production":
            raise ValueError("the optimised build is in the image; allowed: with mode development")
        if danger := host_danger(str(PROJECT / source), read_only=True):
            raise ValueError(f"{danger}; allowed: the folder of the sources")
        return source

    def sources(self) -> str | None:
        """Where they lie on the host."""
        return str(PROJECT / self.source) if self.source else None


class BackendService(ServiceSettings):
    """The API, WebSockets and the editing itself."""

    replicas: Annotated[int, Field(ge=1, le=20)] = 1
    cpus: Cpus = Cpus("1")
    memory: Memory = Memory("512MiB")
    max_upload: Size = Size("100MiB")
    """From 1MiB to 1GiB; audio goes to the disk as it comes, through the edge, too."""

    @field_validator("max_upload")
    @classmethod
    def _can_be_taken(cls, max_upload: Size) -> Size:
        if not 2**20 <= max_upload.bytes <= 2**30:
            raise ValueError("allowed: from 1MiB to 1GiB")
        return max_upload


Word = Annotated[str, Field(min_length=1, max_length=200)]


class Voice(Spec):
    """What users choose by its id."""

    id: Annotated[str, Field(min_length=1, max_length=100)]
    name: Word | None = None
    """Unset: the id."""
    languages: Annotated[
        tuple[Annotated[str, Like(r"[a-z]{2,3}", "a language, like zh or yue")], ...], Field(min_length=1)
    ]
    """Such as `zh`, `en`, `yue`."""

    def entry(self) -> dict[str, Any]:
        """As tts-proxy reads it."""
        return self.model_dump(exclude={"provider"}, mode="json") | {"name": self.name or self.id}


class CosyVoiceVoice(Voice):
    """A voice of CosyVoice's model."""

    provider: Literal["cosyvoice"]


class GptSovitsVoice(Voice):
    """A reference recording on the GPT-SoVITS server, which it imitates."""

    provider: Literal["gpt-sovits"]
    ref_audio_path: Word
    """On that server: 3 to 10 seconds of speech."""
    prompt_lang: Literal["zh", "en", "ja", "ko", "yue"]
    """The recording's language."""
    prompt_text: Annotated[str, Field(max_length=1000)] = ""
    """What is said in it."""


AnyVoice = Annotated[CosyVoiceVoice | GptSovitsVoice, Field(discriminator="provider")]


class TtsProxyService(ServiceSettings):
    """One API over the speech clouds."""

    replicas: Annotated[int, Field(ge=1, le=20)] = 1
    memory: Memory = Memory("256MiB")
    timeout: Duration = Duration("30s")
    """For one synthesis, retries included; so long may a replica that is replaced go on speaking, too."""
    voices: tuple[AnyVoice, ...] = ()
    """Those that users may choose. Unset: two of CosyVoice's own; GPT-SoVITS has none of its own."""

    @field_validator("timeout")
    @classmethod
    def _is_a_wait(cls, timeout: Duration) -> Duration:
        if not 1 <= timeout.seconds <= 300:
            raise ValueError("allowed: from 1s to 5m")
        return timeout

    @field_validator("voices")
    @classmethod
    def _differ(cls, voices: tuple[AnyVoice, ...]) -> tuple[AnyVoice, ...]:
        names = [(voice.provider, voice.id) for voice in voices]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{twice[0][1]!r} of {twice[0][0]} is given twice; allowed: each id once")
        return voices

    def voices_file(self) -> dict[str, list[dict[str, Any]]]:
        """What tts-proxy reads: the voices of each provider that has any."""
        found: dict[str, list[dict[str, Any]]] = {}
        for voice in self.voices:
            found.setdefault(voice.provider, []).append(voice.entry())
        return found


class AudioDatabase(MysqlService):
    """MySQL with the audio editor's database."""

    database: DatabaseName = "audioediter"
    user: UserName = "audioediter"


class CloudApiSettings(WebSystem):
    """All of the audio editor on one host."""

    system: ClassVar[str] = "cloud-api"
    network: CloudApiNetwork = CloudApiNetwork()
    apis: Apis = Clouds()
    frontend: FrontendService = FrontendService()
    backend: BackendService = BackendService()
    tts_proxy: TtsProxyService = TtsProxyService()
    mysql: AudioDatabase = AudioDatabase()
    redis: RedisService = RedisService()

    @field_validator("tts_proxy")
    @classmethod
    def _has_voices(cls, tts_proxy: TtsProxyService, info: ValidationInfo) -> TtsProxyService:
        cloned = any(isinstance(voice, GptSovitsVoice) for voice in tts_proxy.voices)
        apis = info.data.get("apis")
        if isinstance(apis, Clouds) and apis.gpt_sovits and not cloned:
            raise ValueError(
                "apis.gpt_sovits is set, but no voice of gpt-sovits; allowed: at least one in voices, as it "
                "imitates a recording on its server (provider, id, languages, ref_audio_path, prompt_lang)"
            )
        return tts_proxy

    def images(self) -> Iterator[WantedImage]:
        yield from super().images()
        if isinstance(self.apis, StandIn):  # it has no choice of its own
            yield WantedImage("berth:images.tag", "tts-stand-in", None)

    def api_keys(self) -> Iterator[SecretRequest]:
        """The keys of the speech APIs in use."""
        if isinstance(self.apis, StandIn) or self.apis.cosyvoice:
            yield COSYVOICE_KEY
        if isinstance(self.apis, StandIn) or self.apis.gpt_sovits:
            yield GPT_SOVITS_KEY

    def secrets(self) -> Iterator[SecretRequest]:
        yield from (MYSQL_ROOT_PASSWORD, MYSQL_PASSWORD, MYSQL_CERTIFICATE, REDIS_PASSWORD)
        if self.mysql.replica:
            yield MYSQL_REPLICATION_PASSWORD
        yield from self.api_keys()
        yield from super().secrets()
