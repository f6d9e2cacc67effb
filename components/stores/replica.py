"""What every replica of a store is: a server that its primary has let in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components.containers.image import Image
from components.containers.job import Job, JobSpec
from components.containers.service import Completed, Dependency, Healthy
from components.stores.store import CERTIFICATE, Recipe, Store, StoreSpec, Tls


class StoreReplica(Store):
    """A server that follows `of` on its network, with its certificate; it answers reading queries.

    access: the job `{name}-access`, which makes the replica's user in the primary. passwords: by the names of
    both jobs' and the server's secret files.
    """

    def __init__(
        self,
        name: str,
        spec: StoreSpec,
        recipe: Recipe,
        *,
        image: Image,
        of: Store,
        tls: Tls,
        access: JobSpec,
        passwords: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given = {**passwords, CERTIFICATE: tls.certificate}
        self._of, self._access = of, access
        self._secrets = {file.name: given[file.name] for file in access.secrets}
        super().__init__(
            name,
            spec,
            recipe,
            image=image,
            network=of.network,
            secrets=given,
            after=[Healthy(of.service)],
            opts=opts,
        )

    def prepare(self, image: Image) -> Sequence[Dependency]:
        """The job that lets the replica in."""
        job = Job(
            f"{self.name}-access",
            self._access,
            image=image,
            network=self._of.network,
            secrets=self._secrets,
            depends_on=self._of.service.containers,
            opts=self.child(),
        )
        return [Completed(job)]
