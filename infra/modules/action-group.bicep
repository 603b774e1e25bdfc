metadata name = 'Action group'
metadata description = 'Makes the list of those who are told of an alert.'

import { tagsType } from 'types.bicep'

@description('Required. Name of the group.')
param name string

@description('Required. Name in messages, at most 12 characters.')
@maxLength(12)
param shortName string

@description('Optional. Tags of all resources.')
param tags tagsType = {}

@description('Required. E-mail addresses.')
param emailAddresses string[]

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: shortName
    emailReceivers: [
      for address in emailAddresses: {
        name: address
        emailAddress: address
        useCommonAlertSchema: true
      }
    ]
  }
}

@description('The name of the group.')
output name string = group.name

@description('The resource id of the group.')
output resourceId string = group.id

@description('The resource group of the group.')
output resourceGroupName string = resourceGroup().name
