metadata name = 'Virtual network'
metadata description = 'Makes a network with a subnet `app` and a subnet `endpoints`, for private ones, and one fixed address for what the app sends to the Internet.'

import { tagsType } from 'types.bicep'

@description('Required. Name of the network.')
param name string

@description('Required. Region.')
param location string

@description('Optional. Tags of all resources.')
param tags tagsType = {}

@description('Required. Address range of the network, /25 or larger.')
param addressPrefix string

resource address 'Microsoft.Network/publicIPAddresses@2025-05-01' = {
  name: 'pip-${name}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIPAllocationMethod: 'Static'
  }
}

resource gateway 'Microsoft.Network/natGateways@2025-05-01' = {
  name: 'ng-${name}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIpAddresses: [
      {
        id: address.id
      }
    ]
  }
}

// Without rules of its own: the default ones let nobody in from outside the network.
resource securityGroup 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-${name}'
  location: location
  tags: tags
  properties: {}
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [addressPrefix]
    }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 26, 0)
          defaultOutboundAccess: false
          delegations: [
            {
              name: 'app'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
          natGateway: {
            id: gateway.id
          }
          networkSecurityGroup: {
            id: securityGroup.id
          }
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 26, 1)
          defaultOutboundAccess: false
          networkSecurityGroup: {
            id: securityGroup.id
          }
        }
      }
    ]
  }
}

@description('The name of the network.')
output name string = network.name

@description('The resource id of the network.')
output resourceId string = network.id

@description('The resource group of the network.')
output resourceGroupName string = resourceGroup().name

@description('The address from which the app reaches the Internet.')
output outboundIpAddress string = address.properties.ipAddress
