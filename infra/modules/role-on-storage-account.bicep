metadata name = 'Role on a storage account'
metadata description = 'Gives a principal one role on a whole storage account.'

import { roleIds, roleNameType } from 'roles.bicep'

@description('Required. The storage account.')
param storageAccountName string

@description('Required. Role to give.')
param roleName roleNameType

@description('Required. Object id of the principal that gets the role, in the tenant of this subscription.')
param principalId string

@description('Required. What makes the assignment\'s name unique and is known before anything is deployed: the resource id of a managed identity, or the object id of another principal.')
param principalSeed string

resource account 'Microsoft.Storage/storageAccounts@2025-08-01' existing = {
  name: storageAccountName
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account
  name: guid(account.id, principalSeed, roleIds[roleName])
  properties: {
    principalId: principalId
    // Named, so that a principal that was made a moment ago is not looked for before it is replicated.
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds[roleName])
  }
}

@description('The name of the role assignment.')
output name string = assignment.name

@description('The resource id of the role assignment.')
output resourceId string = assignment.id

@description('The resource group of the role assignment.')
output resourceGroupName string = resourceGroup().name
