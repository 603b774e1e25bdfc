metadata name = 'Private endpoints'
metadata description = 'What an app reaches, and by what it is reached, inside its virtual network.'

import { cloudType, clouds } from 'clouds.bicep'
import { tagsType } from 'types.bicep'

@export()
@description('A Service Bus namespace that is reached through a private endpoint.')
type namespaceEndpointType = {
  @description('Required. Name of the endpoint.')
  name: string

  @description('Required. The namespace.')
  namespaceResourceId: string

  @description('Optional. What the owner of the namespace is told, when it is another\'s and they have to approve.')
  requestMessage: string?
}

@description('Required. Region.')
param location string

@description('Optional. Tags of all resources.')
param tags tagsType = {}

@description('Required. The cloud.')
param cloud cloudType

@description('Required. The virtual network.')
param virtualNetworkResourceId string

@description('Required. Its subnet for private endpoints.')
param subnetResourceId string

@description('Optional. Storage accounts whose blobs are reached.')
param storageAccountNames string[] = []

@description('Optional. Key vault that is reached.')
param vaultName string?

@description('Optional. App that is called and deployed to from the network.')
param appName string?

@description('Optional. Service Bus namespaces that are reached.')
param namespaces namespaceEndpointType[] = []

@description('Zone of blobs.')
var blobZoneName = 'privatelink.blob.${environment().suffixes.storage}'

module blobZone 'private-dns-zone.bicep' = if (!empty(storageAccountNames)) {
  params: {
    name: blobZoneName
    tags: tags
    virtualNetworkResourceId: virtualNetworkResourceId
  }
}

module storage 'private-endpoint.bicep' = [
  for account in storageAccountNames: {
    params: {
      name: 'pep-${account}'
      location: location
      tags: tags
      subnetResourceId: subnetResourceId
      serviceResourceId: resourceId('Microsoft.Storage/storageAccounts', account)
      groupId: 'blob'
      zoneName: blobZoneName
    }
    dependsOn: [blobZone]
  }
]

module vaultZone 'private-dns-zone.bicep' = if (vaultName != null) {
  params: {
    name: clouds[cloud].vaultZone
    tags: tags
    virtualNetworkResourceId: virtualNetworkResourceId
  }
}

module vault 'private-endpoint.bicep' = if (vaultName != null) {
  params: {
    name: 'pep-${vaultName}'
    location: location
    tags: tags
    subnetResourceId: subnetResourceId
    serviceResourceId: resourceId('Microsoft.KeyVault/vaults', vaultName ?? '')
    groupId: 'vault'
    zoneName: clouds[cloud].vaultZone
  }
  dependsOn: [vaultZone]
}

module sitesZone 'private-dns-zone.bicep' = if (appName != null) {
  params: {
    name: clouds[cloud].sitesZone
    tags: tags
    virtualNetworkResourceId: virtualNetworkResourceId
  }
}

module site 'private-endpoint.bicep' = if (appName != null) {
  params: {
    name: 'pep-${appName}'
    location: location
    tags: tags
    subnetResourceId: subnetResourceId
    serviceResourceId: resourceId('Microsoft.Web/sites', appName ?? '')
    groupId: 'sites'
    zoneName: clouds[cloud].sitesZone
  }
  dependsOn: [sitesZone]
}

module serviceBusZone 'private-dns-zone.bicep' = if (!empty(namespaces)) {
  params: {
    name: clouds[cloud].serviceBusZone
    tags: tags
    virtualNetworkResourceId: virtualNetworkResourceId
  }
}

module bus 'private-endpoint.bicep' = [
  for namespace in namespaces: {
    params: {
      name: namespace.name
      location: location
      tags: tags
      subnetResourceId: subnetResourceId
      serviceResourceId: namespace.namespaceResourceId
      groupId: 'namespace'
      zoneName: clouds[cloud].serviceBusZone
      requestMessage: namespace.?requestMessage
    }
    dependsOn: [serviceBusZone]
  }
]
