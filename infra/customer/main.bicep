metadata name = 'Customer'
metadata description = 'Everything of a customer: the Service Bus namespace with the queues that provider and customer share, who may do what on them, and the Function App that carries commands out.'

import { cloudType } from '../modules/clouds.bicep'
import { lockType, tagsType } from '../modules/types.bicep'

@description('Optional. What the names of all resources are made of: a to z, 0 to 9 and -.')
@minLength(3)
@maxLength(20)
param name string = 'causeway'

@description('Optional. Region of all resources; one that has Flex Consumption.')
param location string = resourceGroup().location

@description('Optional. Tags of all resources.')
param tags tagsType = {}

@description('Optional. Lock on the namespace. It also keeps role assignments on the queues from being deleted, and with them the quick way to shut the provider out; whoever deploys it must be Owner or User Access Administrator.')
param lock lockType = 'None'

@description('Optional. The cloud that this is deployed to; the same as the provider\'s.')
param cloud cloudType = 'AzureCloud'

@description('Required. Who this customer is to the provider, as agreed with them: a to z, 0 to 9 and -.')
@minLength(1)
@maxLength(64)
param customerId string

@description('Required. Object id, in this tenant, of the service principal of the provider\'s application: that of the enterprise application, not the application\'s client id.')
@minLength(36)
@maxLength(36)
param providerServicePrincipalObjectId string

@description('Optional. What commands may ask for.')
@minLength(1)
param allowedActions string[] = ['acknowledge']

@description('Optional. Tier of the namespace. Premium is for private networking and for messages over 256 KB.')
param serviceBusSku 'Premium' | 'Standard' = 'Standard'

@description('Conditional. Messaging units. Read if `serviceBusSku` is Premium.')
@allowed([1, 2, 4, 8, 16])
param messagingUnits int = 1

@description('Optional. Name of the namespace, unique in the world.')
@minLength(6)
@maxLength(50)
param serviceBusNamespaceName string = 'sb-${name}-${take(uniqueString(resourceGroup().id), 8)}'

@description('Optional. Name of the queue for commands, without slashes.')
@minLength(1)
@maxLength(260)
param deploymentCommandQueueName string = 'deployment-commands'

@description('Optional. Name of the queue for statuses, without slashes.')
@minLength(1)
@maxLength(260)
param deploymentStatusQueueName string = 'deployment-status'

@description('Optional. How long commands and statuses wait at most before they are dead-lettered, as an ISO 8601 duration. A command\'s own expiry may be earlier.')
param messageTimeToLive string = 'P14D'

@description('Optional. Filter of the log, in the syntax of tracing-subscriber.')
param logLevel string = 'info'

@description('Optional. Days for which logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('Optional. Instances and storage in three zones of the region. Service Bus spans them by itself.')
param zoneRedundant bool = false

@description('Optional. Memory of an instance, in MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Optional. How many instances there are at most.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Optional. Instances that are kept running for commands; at least two, or none, if zone-redundant.')
@minValue(0)
param alwaysReadyInstances int = 0

@description('Optional. Namespace and storage are reached through a virtual network only. Needs `serviceBusSku` Premium.')
param privateNetworking bool = false

@description('Optional. Address range of that network, /25 or larger.')
param virtualNetworkAddressPrefix string = '10.65.0.0/24'

@description('Conditional. Addresses or CIDR ranges from which the provider reaches the namespace. Read if `privateNetworking` is true; with none the provider needs a private endpoint, which you approve.')
param providerIpAddresses string[] = []

@description('Optional. The app can be deployed to over the Internet. Otherwise from the network only. It has no function that can be called.')
param publicIngress bool = true

@description('Optional. Who is told of alerts. With nobody they are only shown in the portal.')
param alertEmailAddresses string[] = []

@description('Optional. An alert says that no command has come for this long, as an ISO 8601 duration of at most P1D. Empty for no such alert.')
param noTrafficWindow '' | 'PT6H' | 'PT12H' | 'P1D' = 'P1D'

@description('Makes names unique in the world.')
var suffix = take(uniqueString(resourceGroup().id), 8)
@description('Account of the host: its locks and keys, and the package.')
var hostStorageName = 'st${take(replace(toLower(name), '-', ''), 10)}host${suffix}'
@description('Name of the app.')
var appName = 'func-${name}-${suffix}'
@description('Name of the Application Insights component.')
var componentName = 'appi-${name}'
@description('Name of the workspace.')
var workspaceName = 'log-${name}'
@description('Name of the virtual network.')
var networkName = 'vnet-${name}'
@description('Container of the package.')
var packageContainer = 'releases'
@description('The function that carries commands out.')
var functionName = 'ReadDeploymentCommandAndSendDeploymentStatus'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${name}'
  location: location
  tags: tags
}

module network '../modules/network.bicep' = if (privateNetworking) {
  params: {
    name: networkName
    location: location
    tags: tags
    addressPrefix: virtualNetworkAddressPrefix
  }
}

module monitoring '../modules/monitoring.bicep' = {
  params: {
    workspaceName: workspaceName
    componentName: componentName
    location: location
    tags: tags
    retentionDays: logRetentionDays
  }
}

module hostStorage '../modules/storage.bicep' = {
  params: {
    name: hostStorageName
    location: location
    tags: tags
    containerNames: [packageContainer]
    zoneRedundant: zoneRedundant
    publicAccess: !privateNetworking
  }
}

module serviceBus '../modules/service-bus.bicep' = {
  params: {
    name: serviceBusNamespaceName
    location: location
    tags: tags
    skuName: privateNetworking && serviceBusSku != 'Premium'
      ? fail('privateNetworking needs serviceBusSku Premium: a Standard namespace has no private endpoints.')
      : serviceBusSku
    messagingUnits: messagingUnits
    queues: [
      // The host renews the lock of a command while the function works on it.
      { name: deploymentCommandQueueName, lockDuration: 'PT1M', timeToLive: messageTimeToLive }
      { name: deploymentStatusQueueName, lockDuration: 'PT30S', timeToLive: messageTimeToLive }
    ]
    restrictNetwork: privateNetworking
    allowedIpAddresses: providerIpAddresses
    workspaceResourceId: resourceId('Microsoft.OperationalInsights/workspaces', workspaceName)
    lock: lock
  }
  dependsOn: [monitoring]
}

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' existing = {
  name: serviceBusNamespaceName
  dependsOn: [serviceBus]
}

module endpoints '../modules/private-endpoints.bicep' = if (privateNetworking) {
  params: {
    location: location
    tags: tags
    cloud: cloud
    virtualNetworkResourceId: resourceId('Microsoft.Network/virtualNetworks', networkName)
    subnetResourceId: resourceId('Microsoft.Network/virtualNetworks/subnets', networkName, 'endpoints')
    storageAccountNames: [hostStorageName]
    namespaces: [{ name: 'pep-${serviceBusNamespaceName}', namespaceResourceId: namespace.id }]
  }
  dependsOn: [hostStorage, network]
}

// What crosses the tenant border: the provider sends commands and reads statuses, and nothing else.
module providerSendsCommands '../modules/role-on-queue.bicep' = {
  params: {
    namespaceName: serviceBusNamespaceName
    queueName: deploymentCommandQueueName
    roleName: 'Azure Service Bus Data Sender'
    principalId: providerServicePrincipalObjectId
    principalSeed: providerServicePrincipalObjectId
  }
  dependsOn: [serviceBus]
}

module providerReadsStatuses '../modules/role-on-queue.bicep' = {
  params: {
    namespaceName: serviceBusNamespaceName
    queueName: deploymentStatusQueueName
    roleName: 'Azure Service Bus Data Receiver'
    principalId: providerServicePrincipalObjectId
    principalSeed: providerServicePrincipalObjectId
  }
  dependsOn: [serviceBus]
}

// And the customer's own app the other way round.
module appReadsCommands '../modules/role-on-queue.bicep' = {
  params: {
    namespaceName: serviceBusNamespaceName
    queueName: deploymentCommandQueueName
    roleName: 'Azure Service Bus Data Receiver'
    principalId: identity.properties.principalId
    principalSeed: identity.id
  }
  dependsOn: [serviceBus]
}

module appSendsStatuses '../modules/role-on-queue.bicep' = {
  params: {
    namespaceName: serviceBusNamespaceName
    queueName: deploymentStatusQueueName
    roleName: 'Azure Service Bus Data Sender'
    principalId: identity.properties.principalId
    principalSeed: identity.id
  }
  dependsOn: [serviceBus]
}

module hostRole '../modules/role-on-storage-account.bicep' = {
  params: {
    storageAccountName: hostStorageName
    roleName: 'Storage Blob Data Owner'
    principalId: identity.properties.principalId
    principalSeed: identity.id
  }
  dependsOn: [hostStorage]
}

module telemetryRole '../modules/role-on-component.bicep' = {
  params: {
    componentName: componentName
    roleName: 'Monitoring Metrics Publisher'
    principalId: identity.properties.principalId
    principalSeed: identity.id
  }
  dependsOn: [monitoring]
}

module functionApp '../modules/function-app.bicep' = {
  params: {
    name: appName
    planName: 'plan-${name}'
    location: location
    tags: tags
    identityName: identity.name
    storageAccountName: hostStorageName
    packageContainerName: packageContainer
    componentName: componentName
    zoneRedundant: zoneRedundant
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReady: alwaysReadyInstances == 0
      ? []
      : [{ name: 'function:${functionName}', instanceCount: max(1, alwaysReadyInstances) }]
    subnetResourceId: privateNetworking
      ? resourceId('Microsoft.Network/virtualNetworks/subnets', networkName, 'app')
      : null
    publicAccess: publicIngress
    settings: {
      AllowedActions: join(allowedActions, ',')
      CustomerId: customerId
      DeploymentCommandQueueName: deploymentCommandQueueName
      DeploymentStatusQueueName: deploymentStatusQueueName
      LOG_LEVEL: logLevel
      ServiceBusConnection__clientId: identity.properties.clientId
      ServiceBusConnection__credential: 'managedidentity'
      // https://NAME.servicebus.windows.net:443/ without scheme, port and slash.
      ServiceBusConnection__fullyQualifiedNamespace: split(
        replace(namespace.properties.serviceBusEndpoint, ':443/', '/'),
        '/'
      )[2]
    }
  }
  dependsOn: [appReadsCommands, appSendsStatuses, endpoints, hostRole, network, telemetryRole]
}

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName
  dependsOn: [functionApp]
}

module ingress '../modules/private-endpoints.bicep' = if (privateNetworking && !publicIngress) {
  params: {
    location: location
    tags: tags
    cloud: cloud
    virtualNetworkResourceId: resourceId('Microsoft.Network/virtualNetworks', networkName)
    subnetResourceId: resourceId('Microsoft.Network/virtualNetworks/subnets', networkName, 'endpoints')
    appName: appName
  }
  dependsOn: [functionApp]
}

module alerts 'alerts.bicep' = {
  params: {
    name: name
    location: location
    tags: tags
    componentName: componentName
    namespaceName: serviceBusNamespaceName
    commandQueueName: deploymentCommandQueueName
    statusQueueName: deploymentStatusQueueName
    noTrafficWindow: noTrafficWindow
    emailAddresses: alertEmailAddresses
  }
  dependsOn: [monitoring, serviceBus]
}

@description('The name of the Function App.')
output name string = app.name

@description('The resource id of the Function App.')
output resourceId string = app.id

@description('The resource group of all resources.')
output resourceGroupName string = resourceGroup().name

@description('The region of all resources.')
output location string = location

@description('The resource id of the namespace.')
output serviceBusNamespaceResourceId string = namespace.id

// The next five are this customer's entry in the provider's registry.

@description('Who this customer is to the provider.')
output customerId string = customerId

@description('The tenant of this customer.')
output tenantId string = tenant().tenantId

@description('The namespace, fully qualified.')
output serviceBusNamespace string = split(replace(namespace.properties.serviceBusEndpoint, ':443/', '/'), '/')[2]

@description('The queue for commands.')
output deploymentCommandQueueName string = deploymentCommandQueueName

@description('The queue for statuses.')
output deploymentStatusQueueName string = deploymentStatusQueueName
