#!/bin/sh
# Rotates the application's client secret, for a provider without a federated credential. Old and new secret are both good
# until the end: add a secret, put it into the key vault, have the app take it, see that it works, remove the old one.
# The secret goes through a file that only you can read: it is never printed, nor an argument of a command.
set -eu

usage() {
  cat <<'TEXT'
usage: rotate-client-secret.sh --client-id ID --vault NAME --app NAME [options]

Signed in with `az login --tenant <the provider's tenant>`, as an owner of the application (or with Graph's
Application.ReadWrite.OwnedBy), with Key Vault Secrets Officer on the vault and Website Contributor on the app.

  --client-id ID          the application
  --vault NAME            the key vault
  --secret NAME           ClientSecret: the secret's name in the vault, and that of the app setting
  --app NAME              the Function App
  --resource-group NAME   rg-causeway: where the app is
  --days NUMBER           180: how long the new secret is good
  --old KEYID             the secret to remove at the end; needed when the application has several
  --keep-old              remove nothing; the old secret can be removed later with
                          az ad app credential delete --id CLIENT_ID --key-id KEYID
TEXT
}

group=rg-causeway secret=ClientSecret days=180 client_id='' vault='' app='' old='' keep_old=''
while [ $# -gt 0 ]; do
  case $1 in
    --client-id) client_id=$2 ;;
    --vault) vault=$2 ;;
    --secret) secret=$2 ;;
    --app) app=$2 ;;
    --resource-group) group=$2 ;;
    --days) days=$2 ;;
    --old) old=$2 ;;
    --keep-old) keep_old=yes && shift && continue ;;
    --help | -h) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift 2
done
if [ -z "$client_id" ] || [ -z "$vault" ] || [ -z "$app" ]; then
  usage >&2
  exit 2
fi

graph=$(az cloud show --query endpoints.microsoftGraphResourceId --output tsv)
application="${graph%/}/v1.0/applications(appId='$client_id')"
manager=$(az cloud show --query endpoints.resourceManager --output tsv)
site="${manager%/}$(az functionapp show --resource-group "$group" --name "$app" --query id --output tsv)"
references="$site/config/configreferences/appsettings"
tenant=$(az account show --query tenantId --output tsv)

# What to remove is settled before anything is added.
if [ -z "$old" ] && [ -z "$keep_old" ]; then
  old=$(az ad app credential list --id "$client_id" --query '[].keyId' --output tsv)
  if [ "$(printf '%s\n' "$old" | grep -c .)" -gt 1 ]; then
    echo "rotate-client-secret.sh: the application has several secrets; say which to remove with --old, or --keep-old:" >&2
    az ad app credential list --id "$client_id" --query '[].[keyId, displayName, endDateTime]' --output tsv >&2
    exit 2
  fi
fi

umask 077
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

ends=$(jq --null-input --raw-output --argjson days "$days" 'now + $days * 86400 | todate')
jq --null-input --arg ends "$ends" '{passwordCredential: {displayName: "causeway", endDateTime: $ends}}' >"$folder/add.json"
az rest --method POST --url "$application/addPassword" --body "@$folder/add.json" --output-file "$folder/added.json"
new=$(jq --raw-output .keyId "$folder/added.json")
jq --join-output .secretText "$folder/added.json" >"$folder/secret"
echo "added secret $new, good until $ends"

id=$(az keyvault secret set --vault-name "$vault" --name "$secret" --file "$folder/secret" --expires "$ends" \
  --tags "keyId=$new" --query id --output tsv)
version=${id##*/}
echo "key vault has it as version $version"

# A sign-in of its own, so that yours stays as it is. A new secret takes a moment until all of Entra knows it.
cloud=$(az cloud show --query name --output tsv)
try=0
until AZURE_CONFIG_DIR="$folder/az" AZURE_CLOUD_NAME="$cloud" az login --service-principal --username "$client_id" --password "@$folder/secret" \
  --tenant "$tenant" --allow-no-subscriptions --output none; do
  try=$((try + 1))
  if [ $try -ge 10 ]; then
    echo "rotate-client-secret.sh: the new secret gets no token. The old one was not removed." >&2
    exit 1
  fi
  sleep 15
done
echo 'the new secret gets a token'

az functionapp config appsettings set --resource-group "$group" --name "$app" --output none \
  --settings "${secret}ExpiresOn=$ends"
az rest --method POST --url "$references/refresh?api-version=2022-03-01" --output none
active() {
  az rest --method GET --url "$references?api-version=2022-03-01" --output tsv \
    --query "value[?properties.secretName == '$secret' && properties.status == 'Resolved'].properties.activeVersion | [0]"
}
try=0
until [ "$(active)" = "$version" ]; do
  try=$((try + 1))
  if [ $try -ge 20 ]; then
    echo "rotate-client-secret.sh: the app has not taken version $version. The old secret was not removed; see" \
      "'Key Vault references' in docs/troubleshooting.md." >&2
    exit 1
  fi
  sleep 15
done
az functionapp restart --resource-group "$group" --name "$app" --output none
host=$(az functionapp show --resource-group "$group" --name "$app" --query defaultHostName --output tsv)
try=0
until az rest --method GET --skip-authorization-header --url "https://$host/api/health" --output none; do
  try=$((try + 1))
  if [ $try -ge 20 ]; then
    echo "rotate-client-secret.sh: the app is not healthy with the new secret. The old one was not removed." >&2
    exit 1
  fi
  sleep 15
done
echo 'the app has it and is healthy'

if [ -n "$keep_old" ] || [ -z "$old" ]; then
  echo 'no old secret is removed'
else
  az ad app credential delete --id "$client_id" --key-id "$old"
  echo "removed secret $old"
fi
