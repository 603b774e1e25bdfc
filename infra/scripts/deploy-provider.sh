#!/bin/sh
# Deploys the provider: resource group, application and identity, resources, package. Every step can be repeated, so this
# is also how to update. docs/deploy.md has the same step by step.
set -eu

usage() {
  cat <<'TEXT'
usage: deploy-provider.sh --package released-package.zip [options]

Signed in with `az login --tenant <the provider's tenant>`.

  --package FILE          what `cargo xtask package provider` made
  --resource-group NAME   rg-causeway
  --location REGION       westeurope; read when the resource group is made
  --client-id ID          the application, when it was made before: skips identity.bicep
  --parameters FILE       provider/main.bicepparam; a copy of it with your values
TEXT
}

infra=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
group=rg-causeway location=westeurope package='' client_id='' parameters=$infra/provider/main.bicepparam
while [ $# -gt 0 ]; do
  case $1 in
    --package) package=$2 ;;
    --resource-group) group=$2 ;;
    --location) location=$2 ;;
    --client-id) client_id=$2 ;;
    --parameters) parameters=$2 ;;
    --help | -h) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift 2
done
if [ ! -f "$package" ]; then
  echo "deploy-provider.sh: there is no package '$package'; make one with cargo xtask package provider" >&2
  exit 2
fi

echo "tenant and subscription: $(az account show --query '[tenantId, name]' --output tsv | paste -sd ' ' -)"
az group create --name "$group" --location "$location" --output none

if [ -z "$client_id" ]; then
  echo 'application and managed identity'
  client_id=$(az deployment group create --resource-group "$group" --name identity \
    --parameters "$infra/provider/identity.bicepparam" --query properties.outputs.clientId.value --output tsv)
fi

echo 'resources'
export CAUSEWAY_CLIENT_ID="$client_id"
az deployment group create --resource-group "$group" --name main --parameters "$parameters" --output none
output() {
  az deployment group show --resource-group "$group" --name main --query "properties.outputs.$1.value" --output tsv
}
app=$(output name)

echo 'package'
az functionapp deployment source config-zip --resource-group "$group" --name "$app" --src "$package" --output none

cat <<TEXT
done
  client id       $client_id    what every customer is told
  app             $app
  health          $(output uri)/api/health
  registry        $(output customersUri)    for add-customer.sh
  outgoing IP     $(output outboundIpAddress)    for a customer's providerIpAddresses, if there is a network
TEXT
