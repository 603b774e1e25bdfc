metadata name = 'Service Bus namespace'
metadata description = 'Makes a namespace that only Entra tokens open, its plain queues, and its logs.'

import { lockType, tagsType } from 'types.bicep'

@export()
@description('A queue.')
type queueType = {
  @description('Required. Name of the queue.')
  name: string

  @description('Required. How long a received message stays locked unless the lock is renewed, as an ISO 8601 duration of at most PT5M.')
  lockDuration: string

  @description('Required. How long a message waits at most before it is dead-lettered, as an ISO 8601 duration.')
  timeToLive: string
}

@description('Required. Name of the namespace.')
@minLength(6)
@maxLength(50)
param name string

@description('Required. Region.')
param location string

@description('Optional. Tags of all resources.')
param tags tagsType = {}

@description('Optional. Tier. Premium is for private networking and for messages over 256 KB.')
param skuName 'Premium' | 'Standard' = 'Standard'

@description('Conditional. Messaging units. Read if the tier is Premium.')
@allowed([1, 2, 4, 8, 16])
param messagingUnits int = 1

@description('Required. The queues.')
param queues queueType[]

@description('Optional. Only private endpoints and `allowedIpAddresses` get in. Premium only.')
param restrictNetwork bool = false

@description('Optional. Addresses or CIDR ranges that get in over the Internet while the network is restricted.')
param allowedIpAddresses string[] = []

@description('Required. Workspace for its logs and metrics.')
param workspaceResourceId string

@description('Optional. Lock against deletion.')
param lock lockType = 'None'

@description('Whether the Internet gets as far as the rules for addresses.')
var publicNetworkAccess = restrictNetwork && empty(allowedIpAddresses) ? 'Disabled' : 'Enabled'

// `zoneRedundant` is left out: it is deprecated, and every tier spans the zones of its region by itself.
// https://learn.microsoft.com/azure/reliability/reliability-service-bus
resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' = {
  name: name
  location: location
  tags: tags
  sku: skuName == 'Premium'
    ? { name: 'Premium', tier: 'Premium', capacity: messagingUnits }
    : { name: 'Standard', tier: 'Standard' }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: publicNetworkAccess
  }

  // Sessions, partitions and duplicate detection are fixed when a queue is made, so they are no parameters.
  resource queue 'queues' = [
    for queue in queues: {
      name: queue.name
      properties: {
        deadLetteringOnMessageExpiration: true
        defaultMessageTimeToLive: queue.timeToLive
        duplicateDetectionHistoryTimeWindow: 'P1D'
        enablePartitioning: false
        lockDuration: queue.lockDuration
        // The host gives a failed message back at once: ten quick failures would dead-letter a good command.
        maxDeliveryCount: 100
        maxSizeInMegabytes: 1024
        requiresDuplicateDetection: true
        requiresSession: false
      }
    }
  ]

  resource network 'networkRuleSets' = if (restrictNetwork) {
    name: 'default'
    properties: {
      defaultAction: 'Deny'
      ipRules: [for address in allowedIpAddresses: { action: 'Allow', ipMask: address }]
      publicNetworkAccess: publicNetworkAccess
      trustedServiceAccessEnabled: false
    }
  }
}

// The one older version that is no preview knows no groups of categories.
#disable-next-line use-recent-api-versions
resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: namespace
  name: 'to-log-analytics'
  properties: {
    workspaceId: workspaceResourceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        categoryGroup: 'allLogs'
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

resource namespaceLock 'Microsoft.Authorization/locks@2020-05-01' = if (lock != 'None') {
  scope: namespace
  name: 'lock-${name}'
  properties: {
    level: 'CanNotDelete'
    notes: 'Holds commands and statuses that are under way.'
  }
}

@description('The name of the namespace.')
output name string = namespace.name

@description('The resource id of the namespace.')
output resourceId string = namespace.id

@description('The resource group of the namespace.')
output resourceGroupName string = resourceGroup().name

@description('The address of the namespace, as https URL with a port.')
output serviceBusEndpoint string = namespace.properties.serviceBusEndpoint
