#!/bin/sh
# Deploys a customer: resource group, consent to the provider's application, resources with the four roles, package. Every
# step can be repeated, so this is also how to update. docs/deploy.md has the same step by step.
set -eu

usage() {
  cat <<'TEXT'
usage: deploy-customer.sh --customer-id ID --client-id ID --package released-package.zip [options]

Signed in with `az login --tenant <the customer's tenant>`.

  --customer-id ID        as agreed with the provider: a to z, 0 to 9 and -
  --client-id ID          the provider's application
  --package FILE          what `cargo xtask package customer` made
  --provider-object-id ID the application's service principal in this tenant, when consent was given before: skips
                          consent.bicep. It is the object id of the enterprise application.
  --resource-group NAME   rg-causeway
  --location REGION       westeurope; read when the resource group is made
  --parameters FILE       customer/main.bicepparam; a copy of it with your values
  --entry FILE            where to write the entry for the provider's registry; without it, stdout
TEXT
}

infra=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
group=rg-causeway location=westeurope package='' customer_id='' client_id='' provider_object_id='' entry=''
parameters=$infra/customer/main.bicepparam
while [ $# -gt 0 ]; do
  case $1 in
    --customer-id) customer_id=$2 ;;
    --client-id) client_id=$2 ;;
    --package) package=$2 ;;
    --provider-object-id) provider_object_id=$2 ;;
    --resource-group) group=$2 ;;
    --location) location=$2 ;;
    --parameters) parameters=$2 ;;
    --entry) entry=$2 ;;
    --help | -h) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift 2
done
if [ -z "$customer_id" ] || { [ -z "$client_id" ] && [ -z "$provider_object_id" ]; }; then
  usage >&2
  exit 2
fi
if [ ! -f "$package" ]; then
  echo "deploy-customer.sh: there is no package '$package'; make one with cargo xtask package customer" >&2
  exit 2
fi

echo "tenant and subscription: $(az account show --query '[tenantId, name]' --output tsv | paste -sd ' ' -)" >&2
az group create --name "$group" --location "$location" --output none

if [ -z "$provider_object_id" ]; then
  echo 'consent' >&2
  export CAUSEWAY_CLIENT_ID="$client_id"
  provider_object_id=$(az deployment group create --resource-group "$group" --name consent \
    --parameters "$infra/customer/consent.bicepparam" \
    --query properties.outputs.providerServicePrincipalObjectId.value --output tsv)
fi

echo 'resources' >&2
export CAUSEWAY_CUSTOMER_ID="$customer_id" CAUSEWAY_PROVIDER_OBJECT_ID="$provider_object_id"
az deployment group create --resource-group "$group" --name main --parameters "$parameters" --output none
app=$(az deployment group show --resource-group "$group" --name main \
  --query properties.outputs.name.value --output tsv)

echo 'package' >&2
az functionapp deployment source config-zip --resource-group "$group" --name "$app" --src "$package" --output none

echo "done; the entry for the provider's registry:" >&2
az deployment group show --resource-group "$group" --name main --output json --query 'properties.outputs.{
  customerId: customerId.value, tenantId: tenantId.value, serviceBusNamespace: serviceBusNamespace.value,
  deploymentCommandQueueName: deploymentCommandQueueName.value,
  deploymentStatusQueueName: deploymentStatusQueueName.value}' >"${entry:-/dev/stdout}"
