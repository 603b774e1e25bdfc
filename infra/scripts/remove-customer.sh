#!/bin/sh
# Takes a customer's entry out of the provider's registry. Like add-customer.sh it writes only over what it has read.
set -eu

usage() {
  cat <<'TEXT'
usage: remove-customer.sh --registry https://ACCOUNT.blob.core.windows.net/registry/customers.json --customer-id ID

Signed in with `az login --tenant <the provider's tenant>`, as somebody who has Storage Blob Data Contributor on the
container.
TEXT
}

registry='' customer_id=''
while [ $# -gt 0 ]; do
  case $1 in
    --registry) registry=$2 ;;
    --customer-id) customer_id=$2 ;;
    --help | -h) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift 2
done
if [ -z "$registry" ] || [ -z "$customer_id" ]; then
  usage >&2
  exit 2
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
etag=$(az storage blob show --blob-url "$registry" --auth-mode login --query properties.etag --output tsv)
az storage blob download --blob-url "$registry" --auth-mode login --if-match "$etag" --file "$folder/before.json" \
  --no-progress --output none
jq --exit-status --arg id "$customer_id" 'any(.customers[]; .customerId == $id)' "$folder/before.json" >/dev/null || {
  echo "remove-customer.sh: there is no customer '$customer_id' in the registry; nothing was changed" >&2
  exit 1
}
jq --arg id "$customer_id" '.customers |= map(select(.customerId != $id))' "$folder/before.json" >"$folder/after.json"
az storage blob upload --blob-url "$registry" --auth-mode login --file "$folder/after.json" --overwrite true \
  --content-type application/json --no-progress --output none --if-match "$etag" || {
  echo "remove-customer.sh: not written. If the message above is ConditionNotMet, somebody else has changed the registry" \
    "meanwhile: run this again." >&2
  exit 1
}
echo "customers: $(jq --raw-output '[.customers[].customerId] | join(", ")' "$folder/after.json")"
