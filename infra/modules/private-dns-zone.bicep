metadata name = 'Private DNS zone'
metadata description = 'Makes a private DNS zone and lets one virtual network ask it.'

import { tagsType } from 'types.bicep'

@description('Required. Name of the zone.')
param name string

@description('Optional. Tags of all resources.')
param tags tagsType = {}

@description('Required. The virtual network.')
param virtualNetworkResourceId string

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: name
  location: 'global'
  tags: tags

  resource link 'virtualNetworkLinks' = {
    name: last(split(virtualNetworkResourceId, '/'))
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: virtualNetworkResourceId
      }
    }
  }
}

@description('The name of the zone.')
output name string = zone.name

@description('The resource id of the zone.')
output resourceId string = zone.id

@description('The resource group of the zone.')
output resourceGroupName string = resourceGroup().name
