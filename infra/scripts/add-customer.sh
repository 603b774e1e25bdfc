#!/bin/sh
# Puts a customer's entry into the provider's registry, or changes the one that is there. The document is written only if
# it is still the one that was read (its ETag): of two who change it at once, one is told to try again.
set -eu

usage() {
  cat <<'TEXT'
usage: add-customer.sh --registry https://ACCOUNT.blob.core.windows.net/registry/customers.json --entry FILE

Signed in with `az login --tenant <the provider's tenant>`, as somebody who has Storage Blob Data Contributor on the
container.

  --registry URL   CustomersUri of the provider's app
  --entry FILE     the entry, as deploy-customer.sh has written it
TEXT
}

registry='' entry=''
while [ $# -gt 0 ]; do
  case $1 in
    --registry) registry=$2 ;;
    --entry) entry=$2 ;;
    --help | -h) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift 2
done
if [ -z "$registry" ] || [ -z "$entry" ]; then
  usage >&2
  exit 2
fi

# An entry that the handler would leave out is better found here. Only what belongs into the registry goes there.
checked=$(jq --exit-status '
  {customerId, tenantId, serviceBusNamespace, deploymentCommandQueueName, deploymentStatusQueueName}
  | map_values(if type == "string" then . else "" end)
  | select((.customerId | test("^[a-z0-9-]{1,64}$")) and (.tenantId | test("^[0-9a-fA-F-]{36}$"))
      and (.serviceBusNamespace | test("^[^/:]+(:[0-9]+)?$")) and all(.[]; . != ""))' "$entry") || {
  echo "add-customer.sh: $entry lacks one of the five fields, or one of them is not in order" >&2
  exit 1
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
if [ "$(az storage blob exists --blob-url "$registry" --auth-mode login --query exists --output tsv)" = true ]; then
  etag=$(az storage blob show --blob-url "$registry" --auth-mode login --query properties.etag --output tsv)
  az storage blob download --blob-url "$registry" --auth-mode login --if-match "$etag" --file "$folder/before.json" \
    --no-progress --output none
  set -- --if-match "$etag"
else
  echo '{"customers": []}' >"$folder/before.json"
  set -- --if-none-match '*'
fi

jq --argjson entry "$checked" '
  (.customers | map(.customerId) | index($entry.customerId)) as $at
  | if $at then .customers[$at] = $entry else .customers += [$entry] end' "$folder/before.json" >"$folder/after.json"
az storage blob upload --blob-url "$registry" --auth-mode login --file "$folder/after.json" --overwrite true \
  --content-type application/json --no-progress --output none "$@" || {
  echo "add-customer.sh: not written. If the message above is ConditionNotMet or BlobAlreadyExists, somebody else has" \
    "changed the registry meanwhile: run this again." >&2
  exit 1
}
echo "customers: $(jq --raw-output '[.customers[].customerId] | join(", ")' "$folder/after.json")"
