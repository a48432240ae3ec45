"""A registry of Terraform providers on a loopback address, with packages signed as a real one's."""

import hashlib
import http.server
import json
import subprocess
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PLATFORMS = ("linux_amd64", "linux_arm64", "darwin_arm64", "darwin_amd64")


@contextmanager
def provider_registry(folder: Path, *, source: str, versions: Sequence[str]) -> Iterator[str]:
    """Serves packages of a provider without a plugin in it; yields a CLI configuration's text.

    The protocol: https://developer.hashicorp.com/terraform/internals/provider-registry-protocol
    """
    folder.mkdir()
    name = source.partition("/")[2]
    for version in versions:
        _pack(folder, name, version)
    key = _sign(folder, name, versions)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    address = f"http://127.0.0.1:{server.server_port}"

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = self.path.strip("/").split("/")
            if parts[0] == "files":
                body = (folder / parts[1]).read_bytes()
            elif self.path == f"/v1/{source}/versions":
                platforms = [
                    dict(zip(("os", "arch"), p.split("_"), strict=True)) for p in PLATFORMS
                ]
                body = json.dumps(
                    {
                        "versions": [
                            {"version": version, "protocols": ["5.0"], "platforms": platforms}
                            for version in versions
                        ]
                    }
                ).encode()
            else:
                *_, version, _, system, machine = parts
                stem = f"terraform-provider-{name}_{version}"
                archive = folder / f"{stem}_{system}_{machine}.zip"
                body = json.dumps(
                    {
                        "protocols": ["5.0"],
                        "os": system,
                        "arch": machine,
                        "filename": archive.name,
                        "download_url": f"{address}/files/{archive.name}",
                        "shasums_url": f"{address}/files/{stem}_SHA256SUMS",
                        "shasums_signature_url": f"{address}/files/{stem}_SHA256SUMS.sig",
                        "shasum": hashlib.sha256(archive.read_bytes()).hexdigest(),
                        "signing_keys": {
                            "gpg_public_keys": [{"key_id": "0" * 16, "ascii_armor": key}]
                        },
                    }
                ).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server.RequestHandlerClass = Handler
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield (
            'host "registry.terraform.io" {\n'
            f'  services = {{ "providers.v1" = "{address}/v1/" }}\n'
            "}\n"
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _pack(folder: Path, name: str, version: str) -> None:
    for platform in PLATFORMS:
        archive = folder / f"terraform-provider-{name}_{version}_{platform}.zip"
        with zipfile.ZipFile(archive, "w") as file:
            program = zipfile.ZipInfo(f"terraform-provider-{name}_v{version}")
            program.external_attr = 0o755 << 16
            file.writestr(program, f"#!/bin/sh\n# {platform}\n")


def _sign(folder: Path, name: str, versions: Sequence[str]) -> str:
    """Signs each version's checksums with a key of its own, which is returned."""
    home = folder / "keys"
    home.mkdir(mode=0o700)
    gpg: list[str | Path] = [
        "gpg",
        "--batch",
        "--no-tty",
        "--homedir",
        home,
        "--pinentry-mode",
        "loopback",
    ]
    subprocess.run(
        [*gpg, "--passphrase", "", "--quick-generate-key", "registry", "rsa2048", "sign"],
        check=True,
        capture_output=True,
    )
    try:
        for version in versions:
            sums = folder / f"terraform-provider-{name}_{version}_SHA256SUMS"
            sums.write_text(
                "".join(
                    f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
                    for file in sorted(folder.glob(f"*_{version}_*.zip"))
                )
            )
            subprocess.run(
                [*gpg, "--detach-sign", "--output", f"{sums}.sig", sums],
                check=True,
                capture_output=True,
            )
        exported = subprocess.run(
            [*gpg, "--armor", "--export"], check=True, capture_output=True, text=True
        )
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
    return str(exported.stdout)
