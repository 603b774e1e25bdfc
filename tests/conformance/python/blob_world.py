"""What the program is told of a storage account, and the SDK clients that reach it.

The trusted CA is in REQUESTS_CA_BUNDLE, which `requests` beneath the SDK reads.
"""

import os
import uuid

from azure.identity import ClientSecretCredential
from azure.storage.blob import BlobServiceClient


class World:
    """One account with one container, and applications with different roles on them."""

    def __init__(self, environment=os.environ):
        self.authority = environment["AZURE_AUTHORITY_HOST"].rstrip("/")
        self.endpoint = environment["BLOB_ENDPOINT"].rstrip("/")
        self.container = environment["BLOB_CONTAINER"]
        self.tenant = environment["CONFORMANCE_PROVIDER_TENANT_ID"]
        self.other_tenant = environment["CONFORMANCE_CUSTOMER_TENANT_ID"]
        self.secret = environment["CONFORMANCE_CLIENT_SECRET"]
        # Contributor of the account; reader of the container; nothing at all.
        self.contributor = environment["CONFORMANCE_CONTRIBUTOR_CLIENT_ID"]
        self.reader = environment["CONFORMANCE_READER_CLIENT_ID"]
        self.nobody = environment["CONFORMANCE_NOBODY_CLIENT_ID"]

    def credential(self, client_id, tenant=None, **options):
        """An application's credential. A private authority is in no public instance metadata."""
        return ClientSecretCredential(
            tenant or self.tenant,
            client_id,
            self.secret,
            authority=self.authority,
            disable_instance_discovery=True,
            **options,
        )

    def service(self, credential=None, **options):
        """The account, entered as its contributor unless another credential is given."""
        return BlobServiceClient(
            self.endpoint, credential=credential or self.credential(self.contributor), retry_total=0, **options
        )

    def folder(self):
        """The container's client as its contributor, and a prefix that no other case uses."""
        return self.service().get_container_client(self.container), f"{uuid.uuid4()}/"
