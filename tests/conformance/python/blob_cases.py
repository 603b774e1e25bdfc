"""What a user of azure-storage-blob may rely on, one function a case."""

import base64
import uuid
from concurrent.futures import ThreadPoolExecutor

from azure.core import MatchConditions
from azure.core.credentials import AccessToken
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
    ResourceNotModifiedError,
)
from azure.storage.blob import BlobPrefix, ContentSettings

SERVICE_BUS = "https://servicebus.azure.net"
STORAGE_SCOPE = "https://storage.azure.com/.default"


def refused(expected, code, action):
    """That `action` raises the SDK's own `expected` error, with Storage's code."""
    try:
        action()
    except expected as error:
        assert error.error_code == code, error
        return error
    raise AssertionError(f"no {expected} was raised")


def a_blob_is_created_once_whoever_tries_at_once(world):
    container, folder = world.folder()
    blob = container.get_blob_client(f"{folder}once.json")

    def create(number):
        try:
            blob.upload_blob(str(number))
        except ResourceExistsError as error:
            assert error.error_code == "BlobAlreadyExists", error
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        created = [number for number in pool.map(create, range(16)) if number is not None]
    assert len(created) == 1, created
    assert blob.download_blob().readall() == str(created[0]).encode()


def a_blob_is_overwritten_by_those_who_have_seen_it(world):
    container, folder = world.folder()
    blob = container.get_blob_client(f"{folder}a b/\u00fc&.json")
    first = blob.upload_blob(b"one")
    unchanged = {"overwrite": True, "match_condition": MatchConditions.IfNotModified, "etag": first["etag"]}
    second = blob.upload_blob(b"two", **unchanged)
    assert second["etag"] != first["etag"]
    refused(ResourceModifiedError, "ConditionNotMet", lambda: blob.upload_blob(b"three", **unchanged))
    assert blob.download_blob().readall() == b"two"
    known = {"match_condition": MatchConditions.IfModified, "etag": second["etag"]}
    # The SDK takes its error sometimes from the status and sometimes from the code, which is that of a failed write too.
    not_modified = (ResourceNotModifiedError, ResourceModifiedError)
    assert refused(not_modified, "ConditionNotMet", lambda: blob.download_blob(**known)).status_code == 304
    assert blob.get_blob_properties()["etag"] == second["etag"]


def a_blob_comes_back_as_it_was_described(world):
    container, folder = world.folder()
    blob = container.get_blob_client(f"{folder}described.json")
    settings = ContentSettings(content_type="application/json", cache_control="no-cache", content_language="en")
    blob.upload_blob(b"{}", content_settings=settings, metadata={"role": "provider"}, validate_content=True)
    properties = blob.get_blob_properties()
    assert (properties.size, properties.blob_type) == (2, "BlockBlob"), properties
    assert properties.metadata == {"role": "provider"}, properties.metadata
    got = properties.content_settings
    assert (got.content_type, got.cache_control, got.content_language) == ("application/json", "no-cache", "en"), got
    assert base64.b64encode(got.content_md5) == b"mZFLkyvTelC5g8XnyQrpOw==", got.content_md5
    assert blob.download_blob(validate_content=True).readall() == b"{}"


def a_large_blob_comes_in_pieces_and_an_empty_one_at_once(world):
    data = bytes(range(256)) * 20_000
    container, folder = world.folder()
    service = world.service(max_single_get_size=1 << 20, max_chunk_get_size=1 << 20)
    blob = service.get_blob_client(container.container_name, f"{folder}large")
    blob.upload_blob(data)
    assert blob.download_blob(max_concurrency=3).readall() == data
    assert blob.download_blob(offset=100, length=50).readall() == data[100:150]
    empty = container.get_blob_client(f"{folder}empty")
    empty.upload_blob(b"")
    assert empty.download_blob().readall() == b""


def lists_go_by_prefix_page_and_folder(world):
    container, folder = world.folder()
    names = [f"{folder}{name}" for name in ("a/1", "a/2", "b", "c/1", "d")]
    for name in names:
        container.upload_blob(name, name.encode(), metadata={"name": "x&y"})
    pages = container.list_blobs(name_starts_with=folder, results_per_page=2, include=["metadata"]).by_page()
    pages = [list(page) for page in pages]
    assert [len(page) for page in pages] == [2, 2, 1], pages
    found = [blob for page in pages for blob in page]
    assert [blob.name for blob in found] == names
    assert all(blob.metadata == {"name": "x&y"} and blob.size == len(blob.name) for blob in found)
    here = [(type(entry) is BlobPrefix, entry.name) for entry in container.walk_blobs(folder)]
    expected = [(True, "a/"), (False, "b"), (True, "c/"), (False, "d")]
    assert sorted(here) == sorted((is_prefix, folder + name) for is_prefix, name in expected), here


def what_is_not_there_is_said_to_be_missing(world):
    container, folder = world.folder()
    blob = container.get_blob_client(f"{folder}missing")
    assert not blob.exists()
    for action in (blob.download_blob, blob.get_blob_properties, blob.delete_blob):
        refused(ResourceNotFoundError, "BlobNotFound", action)
    nowhere = world.service().get_container_client(f"missing-{uuid.uuid4()}")
    refused(ResourceNotFoundError, "ContainerNotFound", lambda: nowhere.upload_blob("a", b""))
    assert not nowhere.exists()


def a_deleted_blob_is_gone(world):
    container, folder = world.folder()
    blob = container.upload_blob(f"{folder}gone", b"x")
    blob.delete_blob(delete_snapshots="include")
    assert not blob.exists()
    blob.upload_blob(b"again")


def a_container_is_made_once_and_deleted(world):
    container = world.service().create_container(f"made-{uuid.uuid4()}")
    refused(ResourceExistsError, "ContainerAlreadyExists", container.create_container)
    container.upload_blob("a", b"x")
    assert container.get_container_properties().etag
    container.delete_container()
    assert not container.exists()


def a_role_allows_what_it_says_and_none_nothing(world):
    container, folder = world.folder()
    name = f"{folder}a"
    container.upload_blob(name, b"x")
    reader = world.service(world.credential(world.reader)).get_blob_client(world.container, name)
    assert reader.download_blob().readall() == b"x"
    denied = "AuthorizationPermissionMismatch"
    for action in (lambda: reader.upload_blob(b"y", overwrite=True), reader.delete_blob):
        refused(HttpResponseError, denied, action)
    nobody = world.service(world.credential(world.nobody)).get_blob_client(world.container, name)
    refused(HttpResponseError, denied, nobody.download_blob)


def a_challenge_leads_to_the_right_audience_and_tenant(world):
    service = world.service(audience=SERVICE_BUS)
    assert service.get_container_client(world.container).exists()
    stranger = world.credential(world.contributor, world.other_tenant, additionally_allowed_tenants=["*"])
    assert world.service(stranger).get_container_client(world.container).exists()


class Given:
    """Gives the same token whatever is asked for."""

    def __init__(self, token):
        self.token = token

    def get_token(self, *_scopes, **_options):
        return AccessToken(self.token, 1 << 40)


def a_token_that_does_not_fit_is_refused(world):
    scope = f"{SERVICE_BUS}/.default"
    wrong_audience = world.credential(world.contributor).get_token(scope).token
    wrong_tenant = world.credential(world.contributor, world.other_tenant).get_token(STORAGE_SCOPE).token
    head, body, signature = world.credential(world.contributor).get_token(STORAGE_SCOPE).token.split(".")
    forged = ".".join((head, body, ("B" if signature[0] == "A" else "A") + signature[1:]))
    for token, detail in (
        (wrong_audience, "Audience validation failed"),
        (wrong_tenant, "Issuer validation failed"),
        (forged, "Signature validation failed"),
    ):
        container = world.service(Given(token)).get_container_client(world.container)
        error = refused(
            ClientAuthenticationError, "InvalidAuthenticationInfo", lambda: list(container.list_blobs())
        )
        assert detail in str(error), error
        assert token not in str(error), detail


def a_token_for_the_account_alone_is_taken(world):
    account = world.endpoint.rsplit("/", 1)[1]
    for name, is_taken in ((account, True), ("another", False)):
        scope = f"https://{name}.blob.core.windows.net/.default"
        token = Given(world.credential(world.contributor).get_token(scope).token)
        container = world.service(token).get_container_client(world.container)
        if is_taken:
            list(container.list_blobs())
        else:
            refused(ClientAuthenticationError, "InvalidAuthenticationInfo", container.get_container_properties)


def keys_and_their_signatures_are_not_taken(world):
    key = base64.b64encode(b"key").decode()
    shared_key = world.service({"account_name": world.endpoint.rsplit("/", 1)[1], "account_key": key})
    signature = world.service("sv=2023-11-03&ss=b&srt=sco&sp=rl&sig=c2ln")
    for service in (shared_key, signature):
        container = service.get_container_client(world.container)
        refused(HttpResponseError, "KeyBasedAuthenticationNotPermitted", lambda: list(container.list_blobs()))


def what_is_not_built_is_refused_by_name(world):
    container, folder = world.folder()
    blob = container.get_blob_client(f"{folder}blocks")
    error = refused(HttpResponseError, "UnsupportedQueryParameter", lambda: blob.stage_block("a", b"x"))
    assert "Put Block" in str(error), error


CASES = [
    a_blob_is_created_once_whoever_tries_at_once,
    a_blob_is_overwritten_by_those_who_have_seen_it,
    a_blob_comes_back_as_it_was_described,
    a_large_blob_comes_in_pieces_and_an_empty_one_at_once,
    lists_go_by_prefix_page_and_folder,
    what_is_not_there_is_said_to_be_missing,
    a_deleted_blob_is_gone,
    a_container_is_made_once_and_deleted,
    a_role_allows_what_it_says_and_none_nothing,
    a_challenge_leads_to_the_right_audience_and_tenant,
    a_token_that_does_not_fit_is_refused,
    a_token_for_the_account_alone_is_taken,
    keys_and_their_signatures_are_not_taken,
    what_is_not_built_is_refused_by_name,
]
