metadata name = 'Monitoring'
metadata description = 'Makes a Log Analytics workspace and an Application Insights component that takes telemetry by Entra token only.'

import { tagsType } from 'types.bicep'

@description('Required. Name of the workspace.')
param workspaceName string

@description('Required. Name of the component.')
param componentName string

@description('Required. Region.')
param location string

@description('Optional. Tags of all resources.')
param tags tagsType = {}

@description('Optional. Days for which logs are kept.')
@minValue(30)
@maxValue(730)
param retentionDays int = 30

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
    retentionInDays: retentionDays
    sku: {
      name: 'PerGB2018'
    }
  }
}

resource component 'Microsoft.Insights/components@2020-02-02' = {
  name: componentName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    DisableLocalAuth: true
    IngestionMode: 'LogAnalytics'
    WorkspaceResourceId: workspace.id
  }
}

@description('The name of the component.')
output name string = component.name

@description('The resource id of the component.')
output resourceId string = component.id

@description('The resource group of both.')
output resourceGroupName string = resourceGroup().name

@description('The name of the workspace.')
output workspaceName string = workspace.name

@description('The resource id of the workspace.')
output workspaceResourceId string = workspace.id
