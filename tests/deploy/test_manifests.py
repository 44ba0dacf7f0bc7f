"""The manifests of Kubernetes and of Compose: valid by their schemas, and true of the service."""

import copy
import re
import shutil
import subprocess
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.manifests import (
    KUBERNETES,
    ROOT,
    Manifest,
    Pod,
    all_manifests,
    check_compose,
    check_kubernetes,
    in_file,
    of_kind,
    pods,
    stages,
)
from voiceagent.metrics import Metrics
from voiceagent.settings import Settings, load_settings

SIDECAR = ROOT / "node" / "baileys" / "src"
SECRETS = {
    "DATABASE_URL": "postgresql://voiceagent:secret@database:5432/voiceagent",
    "API_KEY": "k" * 32,
    "BAILEYS_TOKEN": "t" * 32,
}
AFTERWARDS_S = 50
"""For goodbyes (15 s), the last webhooks (3 and 2 s), the last records (10 s) and the rest."""


def known_to_the_service() -> set[str]:
    names = {name.upper() for name in Settings.model_fields}
    return names | {f"{name}_FILE" for name in names}


def known_to_the_sidecar() -> set[str]:
    return set(
        re.findall(r"(?:text|secret|whole)\('([A-Z_]+)'", (SIDECAR / "config.js").read_text())
    )


def name_of(manifest: Manifest) -> str:
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


class TestKubernetes:
    @pytest.mark.parametrize("manifest", all_manifests(), ids=name_of)
    def test_is_valid(self, manifest: Manifest) -> None:
        check_kubernetes(manifest)

    @pytest.mark.parametrize(
        ("kind", "path", "value"),
        [
            ("Deployment", ("spec", "replica"), 2),
            ("Deployment", ("spec", "template", "spec", "terminationGracePeriodSeconds"), "665s"),
            ("Service", ("spec", "ports"), {"port": 8000}),
            ("HorizontalPodAutoscaler", ("spec", "metric"), []),
            ("Ingress", ("spec", "rules"), "your.host"),
            ("NetworkPolicy", ("spec", "ingres"), []),
        ],
    )
    def test_what_is_wrong_would_be_found(
        self, kind: str, path: tuple[str, ...], value: Any
    ) -> None:
        broken = copy.deepcopy(next(one for one in all_manifests() if one["kind"] == kind))
        place = broken
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value
        with pytest.raises(jsonschema.ValidationError):
            check_kubernetes(broken)

    def test_the_kustomization_names_every_file(self) -> None:
        named = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["resources"]
        there = {path.name for path in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}
        assert set(named) == there

    @pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
    def test_kubectl_puts_it_together(self) -> None:
        done = subprocess.run(
            ["kubectl", "kustomize", KUBERNETES], capture_output=True, text=True, check=True
        )
        made = [one for one in yaml.safe_load_all(done.stdout) if one]
        assert len(made) == len(all_manifests())
        for manifest in made:
            check_kubernetes(manifest)

    @pytest.mark.parametrize("pod", list(pods()), ids=lambda pod: pod.name)
    def test_a_pod_has_no_more_rights_than_it_needs(self, pod: Pod) -> None:
        assert pod.spec["automountServiceAccountToken"] is False
        assert pod.spec["securityContext"]["runAsNonRoot"] is True
        assert pod.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod.containers:
            rights = container["securityContext"]
            assert rights["allowPrivilegeEscalation"] is False
            assert rights["readOnlyRootFilesystem"] is True
            assert rights["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]
            # A throttled process stutters on all lines.
            assert "cpu" not in container["resources"]["limits"]

    @pytest.mark.parametrize("pod", list(pods()), ids=lambda pod: pod.name)
    def test_what_is_mounted_is_there(self, pod: Pod) -> None:
        mounted = {mount["name"] for mount in pod.container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod.spec["volumes"]}
        assert "/data" in {mount["mountPath"] for mount in pod.container["volumeMounts"]}

    def test_the_settings_are_those_of_the_service(self) -> None:
        given = of_kind("ConfigMap")["data"]
        assert set(given) <= known_to_the_service()
        settings = load_settings(given | SECRETS)
        assert settings.data_dir_lasts is False
        assert settings.public_base_url == "https://your.host"

    def test_the_sidecar_is_told_what_it_knows(self) -> None:
        pod = Pod(sidecar := of_kind("StatefulSet"), sidecar["spec"]["template"]["spec"])
        names = {one["name"] for one in pod.container["env"]}
        assert names <= known_to_the_sidecar() | {"LOG_FORMAT"}
        assert {"BAILEYS_TOKEN", "DATABASE_URL", "VOICEAGENT_URL"} <= names

    def test_probes_ask_routes_that_there_are(self) -> None:
        routes = (SIDECAR / "routes.js").read_text()
        health = (ROOT / "src/voiceagent/web/health.py").read_text()
        for pod in pods():
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                path = pod.container.get(probe, {}).get("httpGet", {}).get("path")
                if path is not None and pod.owner["kind"] == "Deployment":
                    assert f'"{path}"' in health, (pod.name, probe)
                elif path is not None:
                    assert f"\\{path}$" in routes, (pod.name, probe)

    def test_readiness_takes_a_pod_out_and_liveness_never_because_of_others(self) -> None:
        container = next(pod.container for pod in pods() if pod.owner["kind"] == "Deployment")
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        # /readyz is 503 in a drain: as liveness it would have the pod killed with its calls.
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"

    def test_a_pod_is_given_the_time_that_its_calls_have(self) -> None:
        deployment = of_kind("Deployment")
        pod = Pod(deployment, deployment["spec"]["template"]["spec"])
        [_, pause] = pod.container["lifecycle"]["preStop"]["exec"]["command"]
        settings = load_settings(of_kind("ConfigMap")["data"] | SECRETS)
        needed = float(pause) + settings.drain_seconds + AFTERWARDS_S
        assert pod.spec["terminationGracePeriodSeconds"] >= needed

    def test_no_pod_serves_without_its_tables(self) -> None:
        [first] = of_kind("Deployment")["spec"]["template"]["spec"]["initContainers"]
        [job] = of_kind("Job")["spec"]["template"]["spec"]["containers"]
        for name in ("image", "command", "envFrom"):
            assert first[name] == job[name]
        assert first["command"][-1] == "migrate"

    def test_there_is_one_sidecar_and_no_second_for_a_moment(self) -> None:
        assert of_kind("StatefulSet")["spec"]["replicas"] == 1
        scaled = of_kind("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
        assert scaled == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "voiceagent"}

    def test_it_is_scaled_by_a_metric_that_there_is_and_before_it_is_full(self) -> None:
        metrics = of_kind("HorizontalPodAutoscaler")["spec"]["metrics"]
        [pods_metric] = [one["pods"] for one in metrics if one["type"] == "Pods"]
        names = {
            family.name for collector in Metrics().collectors for family in collector.collect()
        }
        assert pods_metric["metric"]["name"] in names
        most = int(of_kind("ConfigMap")["data"]["MAX_CALLS"])
        assert int(pods_metric["target"]["averageValue"]) <= 0.75 * most

    def test_who_is_chosen_by_labels_is_there(self) -> None:
        labels = {
            tuple(pod.owner["spec"]["template"]["metadata"]["labels"].items()): pod
            for pod in pods()
        }
        for manifest in all_manifests():
            spec = manifest.get("spec", {})
            chosen = spec.get("podSelector") or spec.get("selector")
            if not chosen:
                continue
            pod = labels[tuple(chosen.get("matchLabels", chosen).items())]
            ports = {port["name"] for port in pod.container.get("ports", ())}
            for port in spec.get("ports", ()):
                assert port["targetPort"] in ports

    def test_the_ingress_leads_to_a_service_and_lets_a_call_last(self) -> None:
        ingress = of_kind("Ingress")
        [rule] = ingress["spec"]["rules"]
        [path] = rule["http"]["paths"]
        there = path["backend"]["service"]
        service = of_kind("Service", there["name"])
        assert there["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}
        for name in ("read", "send"):
            timeout = ingress["metadata"]["annotations"][
                f"nginx.ingress.kubernetes.io/proxy-{name}-timeout"
            ]
            assert int(timeout) >= 3600


class TestCompose:
    def compose(self) -> Manifest:
        [compose] = in_file(ROOT / "deploy" / "compose.yaml")
        return compose

    def test_is_valid(self) -> None:
        check_compose(self.compose())

    def test_what_is_wrong_would_be_found(self) -> None:
        broken = self.compose()
        broken["services"]["service"]["dependson"] = []
        with pytest.raises(jsonschema.ValidationError):
            check_compose(broken)

    def test_what_the_example_names_is_known(self) -> None:
        example = (ROOT / "deploy" / "voiceagent.env.example").read_text()
        names = set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE)) - {"POSTGRES_PASSWORD"}
        assert names <= known_to_the_service()
        # Empty ones count as unset; with a key and a token it starts.
        given = dict(re.findall(r"^([A-Z_]+)=(.*)$", example, re.MULTILINE))
        environment = self.compose()["services"]["service"]["environment"]
        assert load_settings(given | environment | SECRETS).baileys_url == "http://whatsapp:3001"

    def test_ours_are_hardened_and_the_database_comes_first(self) -> None:
        services = self.compose()["services"]
        for name in ("migrate", "service", "whatsapp"):
            assert services[name]["read_only"] is True
            assert services[name]["cap_drop"] == ["ALL"]
        assert services["service"]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"}
        }
        assert services["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}

    def test_the_sidecar_is_told_no_key_but_its_own(self) -> None:
        sidecar = self.compose()["services"]["whatsapp"]
        assert "env_file" not in sidecar
        assert set(sidecar["environment"]) <= known_to_the_sidecar()

    def test_calls_are_given_their_time(self) -> None:
        patience = self.compose()["services"]["service"]["stop_grace_period"]
        drain_s = load_settings(SECRETS).drain_seconds
        assert int(patience.removesuffix("s")) >= drain_s + AFTERWARDS_S

    def test_it_is_built_from_stages_that_there_are(self) -> None:
        for service in self.compose()["services"].values():
            if "build" in service:
                assert service["build"]["target"] in stages()
