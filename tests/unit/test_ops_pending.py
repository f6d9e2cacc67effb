"""Which objects of an interrupted run are ours to remove or to adopt."""

import json

from ops.pending import ours, read, wanted_labels

URN = "urn:pulumi:dev::berth::docker:index/container:Container::gateway-processor-0"
EXPORTED = {
    "version": 3,
    "deployment": {
        "resources": [],
        "pending_operations": [
            {
                "type": "creating",
                "resource": {
                    "urn": URN,
                    "type": "docker:index/container:Container",
                    "inputs": {"name": "app-1", "labels": [{"label": "berth.stack", "value": "dev"}]},
                },
            }
        ],
    },
}


def test_reads_what_was_interrupted() -> None:
    (entry,) = read(json.dumps(EXPORTED))
    assert (entry.urn, entry.operation, entry.inputs["name"]) == (URN, "creating", "app-1")
    assert wanted_labels(entry.inputs) == {"berth.stack": "dev"}


def test_an_untouched_or_empty_stack_has_nothing_to_heal() -> None:
    assert read('{"version": 3, "deployment": {"resources": []}}') == []
    assert read('{"version": 3, "deployment": null}') == []


def test_only_an_object_with_all_wanted_labels_is_ours() -> None:
    wanted = {"berth.stack": "dev", "berth.service": "app"}
    assert ours(wanted, {**wanted, "more": "1"})
    assert not ours(wanted, {"berth.stack": "dev"})
    assert not ours(wanted, {**wanted, "berth.stack": "prod"})
    assert not ours(wanted, None)


def test_an_operation_without_labels_proves_nothing() -> None:
    assert not ours({}, {"berth.stack": "dev"})
