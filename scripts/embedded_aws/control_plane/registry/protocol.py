"""The distribution protocol, as ECR speaks it.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

import re
from base64 import b64decode
from collections.abc import Callable
from typing import Protocol, TypeVar
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Handler

from embedded_aws.control_plane.registry import passwords
from embedded_aws.control_plane.registry.blobs import Blobs, Upload
from embedded_aws.control_plane.registry.errors import RegistryError
from embedded_aws.control_plane.registry.images import Images, Manifest

_MANIFEST_BYTES = 4 * 2**20
_PART_BYTES = 256 * 2**10
_TAGS_PER_PAGE = 1_000
_NAME = "{name:[^?]+?}"

Answer = TypeVar("Answer")


class WithImages(Protocol):
    """Asks something of the images while nobody else does."""

    async def __call__(self, question: Callable[[Images], Answer]) -> Answer:
        """Gives what the question gives."""


class Registry:
    """Answers Docker. `host`: what it is called in the challenge to those without a password."""

    def __init__(self, *, blobs: Blobs, images: WithImages, host: str) -> None:
        self._blobs = blobs
        self._images = images
        self._host = host

    def app(self) -> web.Application:
        """All paths of the protocol."""
        app = web.Application(middlewares=[self._guard], client_max_size=_MANIFEST_BYTES)
        uploads = f"/v2/{_NAME}/blobs/uploads/"
        app.add_routes(
            [
                web.get("/v2/", self._version),
                web.post(uploads, self._begin_upload),
                web.get(f"{uploads}{{id}}", self._upload_status),
                web.patch(f"{uploads}{{id}}", self._continue_upload),
                web.put(f"{uploads}{{id}}", self._complete_upload),
                web.delete(f"{uploads}{{id}}", self._cancel_upload),
                web.get(f"/v2/{_NAME}/blobs/{{digest}}", self._blob),
                web.get(f"/v2/{_NAME}/manifests/{{reference}}", self._manifest),
                web.put(f"/v2/{_NAME}/manifests/{{reference}}", self._put_manifest),
                web.get(f"/v2/{_NAME}/tags/list", self._tags),
            ]
        )
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            answer = self._challenge(request) or await handler(request)
        except RegistryError as error:
            answer = _refusal(error)
        except web.HTTPMethodNotAllowed:
            answer = _refusal(RegistryError(405, "UNSUPPORTED", "The operation is unsupported."))
        answer.headers["Docker-Distribution-Api-Version"] = "registry/2.0"
        return answer

    def _challenge(self, request: web.Request) -> web.Response | None:
        # https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "basic":
            realm = f'Basic realm="https://{self._host}/",service="ecr.amazonaws.com"'
            return web.Response(
                status=401, text="Not Authorized\n", headers={"WWW-Authenticate": realm}
            )
        try:
            user, _, password = b64decode(given, validate=True).decode().partition(":")
        except ValueError:
            user = password = ""
        passwords.check(user, password)
        return None

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({})

    # --- Blobs ----------------------------------------------------------------------------------

    async def _blob(self, request: web.Request) -> web.StreamResponse:
        name, digest = request.match_info["name"], request.match_info["digest"]
        path = self._blobs.path(digest)
        known = await self._images(lambda images: images.has_blob(name, digest))
        if not known or not path.exists():
            raise RegistryError(404, "BLOB_UNKNOWN", f"There is no blob '{digest}' in '{name}'")
        return web.FileResponse(
            path,
            headers={
                "Docker-Content-Digest": digest,
                "Content-Type": "application/octet-stream",
            },
        )

    async def _begin_upload(self, request: web.Request) -> web.Response:
        name, query = request.match_info["name"], request.query
        await self._images(lambda images: images.check(name))
        if "mount" in query and "from" in query:
            digest, source = query["mount"], query["from"]
            if await self._images(lambda images: images.mount_blob(name, digest, source=source)):
                return self._created(name, digest)
        upload = self._blobs.begin(name)
        if "digest" in query:
            await self._take(request, upload)
            return await self._keep(upload, query["digest"])
        return self._status(upload, 202)

    async def _upload_status(self, request: web.Request) -> web.Response:
        return self._status(self._upload(request), 204)

    async def _continue_upload(self, request: web.Request) -> web.Response:
        upload = self._upload(request)
        begins_at = re.match(r"(\d+)-", request.headers.get("Content-Range", ""))
        if begins_at and int(begins_at[1]) != upload.size:
            return self._status(upload, 416)
        await self._take(request, upload)
        return self._status(upload, 202)

    async def _complete_upload(self, request: web.Request) -> web.Response:
        upload = self._upload(request)
        await self._take(request, upload)
        return await self._keep(upload, request.query.get("digest", ""))

    async def _cancel_upload(self, request: web.Request) -> web.Response:
        self._blobs.cancel(self._upload(request))
        return web.Response(status=204)

    def _upload(self, request: web.Request) -> Upload:
        return self._blobs.upload(request.match_info["id"], request.match_info["name"])

    async def _take(self, request: web.Request, upload: Upload) -> None:
        async for part in request.content.iter_chunked(_PART_BYTES):
            upload.write(part)

    async def _keep(self, upload: Upload, digest: str) -> web.Response:
        self._blobs.complete(upload, digest)
        name, size = upload.repository, upload.size
        await self._images(lambda images: images.add_blob(name, digest, size))
        return self._created(name, digest)

    def _status(self, upload: Upload, status: int) -> web.Response:
        return web.Response(
            status=status,
            headers={
                "Location": f"/v2/{upload.repository}/blobs/uploads/{upload.id}",
                "Docker-Upload-UUID": upload.id,
                "Range": f"0-{max(0, upload.size - 1)}",
            },
        )

    def _created(self, name: str, digest: str) -> web.Response:
        return web.Response(
            status=201,
            headers={"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": digest},
        )

    # --- Manifests ------------------------------------------------------------------------------

    async def _manifest(self, request: web.Request) -> web.Response:
        name, reference = request.match_info["name"], request.match_info["reference"]
        manifest = await self._images(lambda images: images.manifest(name, reference))
        return web.Response(
            body=manifest.text.encode(),
            headers={
                "Content-Type": manifest.media_type,
                "Docker-Content-Digest": manifest.digest,
            },
        )

    async def _put_manifest(self, request: web.Request) -> web.Response:
        name, reference = request.match_info["name"], request.match_info["reference"]
        manifest = Manifest(text=await request.text(), media_type=request.content_type)
        await self._images(lambda images: images.put_manifest(name, reference, manifest))
        return web.Response(
            status=201,
            headers={
                "Location": f"/v2/{name}/manifests/{manifest.digest}",
                "Docker-Content-Digest": manifest.digest,
            },
        )

    async def _tags(self, request: web.Request) -> web.Response:
        name, last = request.match_info["name"], request.query.get("last", "")
        count = request.query.get("n", "")
        page = int(count) if count.isdigit() else _TAGS_PER_PAGE
        tags = [tag for tag in await self._images(lambda images: images.tags(name)) if tag > last]
        headers = {}
        if page and len(tags) > page:
            path = f"/v2/{name}/tags/list?n={page}&last={quote(tags[page - 1])}"
            headers["Link"] = f'<{path}>; rel="next"'
        return web.json_response({"name": name, "tags": tags[:page]}, headers=headers)


def _refusal(error: RegistryError) -> web.StreamResponse:
    return web.Response(status=error.status, text=error.as_json(), content_type="application/json")
