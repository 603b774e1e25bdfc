"""What a user of azure-identity or MSAL may rely on, one function a case."""

import contextlib
import os
import tempfile
import uuid

import msal
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    ClientAssertionCredential,
    ClientSecretCredential,
    CredentialUnavailableError,
    DefaultAzureCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from identity_world import EXCHANGE, EXCHANGE_SCOPE, SCOPE, SERVICE_BUS

# The application behind the exchange's URI, which stands in the assertion.
EXCHANGE_ID = "fb60f99c-7a34-4190-8149-302f77469936"


def raises(expected, action):
    """The error that `action` raises, which must be one of the library's own `expected` types."""
    try:
        action()
    except expected as error:
        return error
    raise AssertionError(f"no {expected} was raised")


def granted(result):
    """The token of MSAL's answer."""
    assert "access_token" in result, f"{result.get('error')}: {result.get('error_description')}"
    return result["access_token"]


def assert_application(world, token, tenant, proof):
    """The token is the application's in `tenant`; `proof` is 1 for a secret and 2 for an assertion."""
    claims = world.claims(token, tenant)
    assert (claims["appid"], claims["tid"], claims["appidacr"]) == (world.client_id, tenant, proof), claims
    return claims


def assertion(world):
    """A token of the user-assigned identity for the exchange."""
    with ManagedIdentityCredential(client_id=world.user_assigned_client_id) as credential:
        return credential.get_token(EXCHANGE_SCOPE).token


def a_secret_takes_a_token_of_each_tenant(world):
    object_ids = set()
    for tenant in (world.provider, world.customer):
        with ClientSecretCredential(tenant, world.client_id, world.secret, **world.options) as credential:
            token = credential.get_token(SCOPE)
            assert credential.get_token(SCOPE).token == token.token, "it was not kept"
        claims = assert_application(world, token.token, tenant, "1")
        assert claims["exp"] >= token.expires_on > claims["iat"], (claims, token.expires_on)
        object_ids.add(claims["oid"])
    assert len(object_ids) == 2, "the application has a service principal of its own in each tenant"


def msal_takes_a_token_with_a_secret_and_keeps_it(world):
    application = world.msal_application(world.secret)
    token = granted(application.acquire_token_for_client([SCOPE]))
    assert_application(world, token, world.customer, "1")
    again = application.acquire_token_for_client([SCOPE])
    assert (again["token_source"], again["access_token"]) == ("cache", token), again["token_source"]


def an_audience_may_end_in_a_slash(world):
    with ClientSecretCredential(world.customer, world.client_id, world.secret, **world.options) as credential:
        token = credential.get_token(f"{SERVICE_BUS}//.default").token
    assert world.claims(token, world.customer, f"{SERVICE_BUS}/")["appid"] == world.client_id


def a_user_assigned_identity_is_named_by_each_of_its_ids(world):
    for options in (
        {"client_id": world.user_assigned_client_id},
        {"identity_config": {"object_id": world.user_assigned_principal_id}},
        {"identity_config": {"resource_id": world.user_assigned_resource_id}},
    ):
        with ManagedIdentityCredential(**options) as credential:
            claims = world.claims(credential.get_token(SCOPE).token, world.provider)
        assert claims["oid"] == world.user_assigned_principal_id, options


def the_system_assigned_identity_needs_no_name(world):
    with ManagedIdentityCredential() as credential:
        claims = world.claims(credential.get_token(SCOPE).token, world.provider)
    assert claims["oid"] == world.system_assigned_principal_id


def the_default_credential_finds_the_managed_identity(world):
    with DefaultAzureCredential(managed_identity_client_id=world.user_assigned_client_id) as credential:
        claims = world.claims(credential.get_token(SCOPE).token, world.provider)
    assert claims["oid"] == world.user_assigned_principal_id


def msal_takes_tokens_of_both_kinds_of_managed_identity(world):
    for identity, principal_id in (
        (msal.SystemAssignedManagedIdentity(), world.system_assigned_principal_id),
        (
            msal.UserAssignedManagedIdentity(client_id=world.user_assigned_client_id),
            world.user_assigned_principal_id,
        ),
        (
            msal.UserAssignedManagedIdentity(object_id=world.user_assigned_principal_id),
            world.user_assigned_principal_id,
        ),
        (
            msal.UserAssignedManagedIdentity(resource_id=world.user_assigned_resource_id),
            world.user_assigned_principal_id,
        ),
    ):
        with requests.Session() as session:
            client = msal.ManagedIdentityClient(identity, http_client=session)
            token = granted(client.acquire_token_for_client(resource=SERVICE_BUS))
            assert client.acquire_token_for_client(resource=SERVICE_BUS)["token_source"] == "cache"
        assert world.claims(token, world.provider)["oid"] == principal_id, identity


def an_assertion_is_a_token_of_version_2_for_the_exchange(world):
    claims = world.assertion_claims(assertion(world), world.provider, EXCHANGE_ID)
    principal_id = world.user_assigned_principal_id
    assert (claims["ver"], claims["sub"], claims["oid"]) == ("2.0", principal_id, principal_id), claims
    assert claims["iss"] == f"https://login.microsoftonline.com/{world.provider}/v2.0", claims


def a_managed_identity_crosses_into_the_customers_tenant(world):
    with ClientAssertionCredential(
        world.customer, world.client_id, lambda: assertion(world), **world.options
    ) as credential:
        token = credential.get_token(SCOPE).token
    assert_application(world, token, world.customer, "2")


def msal_crosses_with_an_assertion_or_what_gives_one(world):
    for client_assertion in (assertion(world), lambda: assertion(world)):
        application = world.msal_application({"client_assertion": client_assertion})
        token = granted(application.acquire_token_for_client([SCOPE]))
        assert_application(world, token, world.customer, "2")


def an_assertion_may_come_from_a_file(world):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "assertion")
        with open(path, "w", encoding="ascii") as file:
            file.write(assertion(world))
        with WorkloadIdentityCredential(
            tenant_id=world.customer, client_id=world.client_id, token_file_path=path, **world.options
        ) as credential:
            token = credential.get_token(SCOPE).token
    assert_application(world, token, world.customer, "2")


def refusals_are_the_librarys_own_errors_with_the_code(world):
    nobody = str(uuid.uuid4())
    for tenant, client_id, secret, scope, code in (
        (world.customer, world.client_id, "not-the-secret", SCOPE, 7000215),
        (world.customer, world.client_id, world.expired_secret, SCOPE, 7000222),
        (world.customer, world.unknown_client_id, world.secret, SCOPE, 7000229),
        (world.customer, nobody, world.secret, SCOPE, 700016),
        (world.customer, world.client_id, world.secret, "https://example.net/.default", 500011),
        (world.customer, world.client_id, world.secret, SERVICE_BUS, 70011),
    ):
        with ClientSecretCredential(tenant, client_id, secret, **world.options) as credential:
            error = raises(ClientAuthenticationError, lambda: credential.get_token(scope))
        assert f"AADSTS{code}: " in error.message, (code, error.message)
        assert secret not in str(error), code

        application = world.msal_application(secret, client_id=client_id, tenant=tenant)
        answer = application.acquire_token_for_client([scope])
        assert answer["error_codes"] == [code], answer
        assert answer["error_description"].startswith(f"AADSTS{code}: "), answer
        assert answer["correlation_id"] and answer["trace_id"] and answer["timestamp"], answer


def a_tenant_that_is_none_is_refused_at_discovery(world):
    # MSAL reads the tenant's configuration first, and says what it was answered there.
    for tenant in (str(uuid.uuid4()), "nowhere.example.net", "contoso"):
        credential = ClientSecretCredential(tenant, world.client_id, world.secret, **world.options)
        error = raises((ClientAuthenticationError, ValueError), lambda: credential.get_token(SCOPE))
        credential.close()
        assert tenant in str(error), error
        error = raises(ValueError, lambda: world.msal_application(world.secret, tenant=tenant))
        assert tenant in str(error), error


def assertions_that_do_not_fit_are_refused_by_their_code(world):
    def of_system_assigned():
        with ManagedIdentityCredential() as credential:
            return credential.get_token(EXCHANGE_SCOPE).token

    def for_another_resource():
        with ManagedIdentityCredential(client_id=world.user_assigned_client_id) as credential:
            return credential.get_token(SCOPE).token

    def forged():
        head, body, signature = assertion(world).split(".")
        return ".".join((head, body, ("B" if signature[0] == "A" else "A") + signature[1:]))

    for give, code in (
        (of_system_assigned, 700213),
        # Version 1.0, so of another issuer.
        (for_another_resource, 700211),
        (forged, 700027),
        (lambda: "no token", 50027),
    ):
        with ClientAssertionCredential(world.customer, world.client_id, give, **world.options) as credential:
            error = raises(ClientAuthenticationError, lambda: credential.get_token(SCOPE))
        assert f"AADSTS{code}: " in error.message, (code, error.message)
        application = world.msal_application({"client_assertion": give()})
        assert application.acquire_token_for_client([SCOPE])["error_codes"] == [code]


def an_identity_that_the_app_does_not_have_is_refused(world):
    nobody = str(uuid.uuid4())
    with ManagedIdentityCredential(client_id=nobody) as credential:
        error = raises((ClientAuthenticationError, CredentialUnavailableError), lambda: credential.get_token(SCOPE))
    assert "No User Assigned or Delegated Managed Identity found" in str(error), error
    with requests.Session() as session:
        client = msal.ManagedIdentityClient(msal.UserAssignedManagedIdentity(client_id=nobody), http_client=session)
        answer = client.acquire_token_for_client(resource=SERVICE_BUS)
    assert "No User Assigned or Delegated Managed Identity found" in answer["error_description"], answer


def without_the_apps_header_nobody_gets_a_token(world):
    with changed("IDENTITY_HEADER", "guessed"):
        with ManagedIdentityCredential() as credential:
            raises((ClientAuthenticationError, CredentialUnavailableError), lambda: credential.get_token(SCOPE))
        with requests.Session() as session:
            client = msal.ManagedIdentityClient(msal.SystemAssignedManagedIdentity(), http_client=session)
            answer = client.acquire_token_for_client(resource=EXCHANGE)
    assert "access_token" not in answer and "403" in answer["error_description"], answer


@contextlib.contextmanager
def changed(name, value):
    """The environment with another value of the variable `name`."""
    before = os.environ[name]
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ[name] = before


CASES = [
    a_secret_takes_a_token_of_each_tenant,
    msal_takes_a_token_with_a_secret_and_keeps_it,
    an_audience_may_end_in_a_slash,
    a_user_assigned_identity_is_named_by_each_of_its_ids,
    the_system_assigned_identity_needs_no_name,
    the_default_credential_finds_the_managed_identity,
    msal_takes_tokens_of_both_kinds_of_managed_identity,
    an_assertion_is_a_token_of_version_2_for_the_exchange,
    a_managed_identity_crosses_into_the_customers_tenant,
    msal_crosses_with_an_assertion_or_what_gives_one,
    an_assertion_may_come_from_a_file,
    refusals_are_the_librarys_own_errors_with_the_code,
    a_tenant_that_is_none_is_refused_at_discovery,
    assertions_that_do_not_fit_are_refused_by_their_code,
    an_identity_that_the_app_does_not_have_is_refused,
    without_the_apps_header_nobody_gets_a_token,
]
