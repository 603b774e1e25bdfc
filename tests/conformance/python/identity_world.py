"""What the program is told of tenants, applications and identities, and how a token is looked into.

The app runs as on App Service: IDENTITY_ENDPOINT and IDENTITY_HEADER are read by the libraries themselves. The trusted
CA is in REQUESTS_CA_BUNDLE, which `requests` beneath them reads.
"""

import os

import jwt
import msal
import requests

SERVICE_BUS = "https://servicebus.azure.net"
SCOPE = f"{SERVICE_BUS}/.default"
EXCHANGE = "api://AzureADTokenExchange"
EXCHANGE_SCOPE = f"{EXCHANGE}/.default"
# Longer than any answer takes on this machine.
PATIENCE = 30


class World:
    """Two tenants, an application of the first in both, and two managed identities."""

    def __init__(self, environment=os.environ):
        self.authority = environment["AZURE_AUTHORITY_HOST"].rstrip("/")
        self.provider = environment["CONFORMANCE_PROVIDER_TENANT_ID"]
        self.customer = environment["CONFORMANCE_CUSTOMER_TENANT_ID"]
        self.client_id = environment["CONFORMANCE_CLIENT_ID"]
        self.secret = environment["CONFORMANCE_CLIENT_SECRET"]
        self.expired_secret = environment["CONFORMANCE_EXPIRED_SECRET"]
        self.unknown_client_id = environment["CONFORMANCE_UNKNOWN_CLIENT_ID"]
        self.user_assigned_client_id = environment["CONFORMANCE_USER_ASSIGNED_CLIENT_ID"]
        self.user_assigned_principal_id = environment["CONFORMANCE_USER_ASSIGNED_PRINCIPAL_ID"]
        self.user_assigned_resource_id = environment["CONFORMANCE_USER_ASSIGNED_RESOURCE_ID"]
        self.system_assigned_principal_id = environment["CONFORMANCE_SYSTEM_ASSIGNED_PRINCIPAL_ID"]
        # A private authority is in no public instance metadata.
        self.options = {"authority": self.authority, "disable_instance_discovery": True}

    def msal_application(self, credential, *, client_id=None, tenant=None):
        """MSAL's client for the application."""
        return msal.ConfidentialClientApplication(
            client_id or self.client_id,
            client_credential=credential,
            authority=f"{self.authority}/{tenant or self.customer}",
            instance_discovery=False,
        )

    def claims(self, token, tenant, audience=SERVICE_BUS):
        """The claims of a token of `tenant` for a resource, checked as the resource does: by what the tenant publishes."""
        return self._verified(token, f"{self.authority}/{tenant}/.well-known/openid-configuration", audience)

    def assertion_claims(self, token, tenant, audience):
        """The same for a token of version 2.0."""
        return self._verified(token, f"{self.authority}/{tenant}/v2.0/.well-known/openid-configuration", audience)

    def _verified(self, token, configuration_url, audience):
        configuration = requests.get(configuration_url, timeout=PATIENCE).json()
        published = requests.get(configuration["jwks_uri"], timeout=PATIENCE).json()["keys"]
        key_id = jwt.get_unverified_header(token)["kid"]
        [key] = [jwt.PyJWK(key).key for key in published if key["kid"] == key_id]
        return jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer=configuration["issuer"])
