metadata name = 'Private endpoint'
metadata description = 'Makes an address in a virtual network for one service, and its name in a private DNS zone.'

import { tagsType } from 'types.bicep'

@description('Required. Name of the endpoint.')
param name string

@description('Required. Region.')
param location string

@description('Optional. Tags of all resources.')
param tags tagsType = {}

@description('Required. Subnet of the endpoint.')
param subnetResourceId string

@description('Required. The service.')
param serviceResourceId string

@description('Required. Which part of the service: blob, namespace, sites or vault.')
param groupId 'blob' | 'namespace' | 'sites' | 'vault'

@description('Required. Private DNS zone, in this resource group, that gets its name.')
param zoneName string

@description('Optional. What the owner of the service is told, when they have to approve the connection because it is theirs. Left out, it is approved by the deployment.')
param requestMessage string?

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' existing = {
  name: zoneName
}

@description('The connection, which stands in one list or the other.')
var connection = {
  name: name
  properties: {
    groupIds: [groupId]
    privateLinkServiceId: serviceResourceId
    requestMessage: requestMessage
  }
}

resource endpoint 'Microsoft.Network/privateEndpoints@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetResourceId
    }
    privateLinkServiceConnections: requestMessage == null ? [connection] : []
    manualPrivateLinkServiceConnections: requestMessage == null ? [] : [connection]
  }

  resource names 'privateDnsZoneGroups' = {
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: groupId
          properties: {
            privateDnsZoneId: zone.id
          }
        }
      ]
    }
  }
}

@description('The name of the endpoint.')
output name string = endpoint.name

@description('The resource id of the endpoint.')
output resourceId string = endpoint.id

@description('The resource group of the endpoint.')
output resourceGroupName string = resourceGroup().name
