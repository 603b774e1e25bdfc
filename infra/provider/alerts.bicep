metadata name = 'Alerts of the provider'
metadata description = 'Who is told when statuses are not read any more, or the handler logs errors.'

import { tagsType } from '../modules/types.bicep'

@description('Required. What the names of all resources are made of.')
param name string

@description('Required. Region.')
param location string

@description('Optional. Tags of all resources.')
param tags tagsType = {}

@description('Required. The Application Insights component, in this resource group.')
param componentName string

@description('Required. Who is told of alerts. With nobody they are only shown in the portal.')
param emailAddresses string[]

@description('Name of the action group.')
var actionGroupName = 'ag-${name}'

module actionGroup '../modules/action-group.bicep' = if (!empty(emailAddresses)) {
  params: {
    name: actionGroupName
    shortName: take(name, 12)
    tags: tags
    emailAddresses: emailAddresses
  }
}

module logAlerts '../modules/log-alerts.bicep' = {
  params: {
    componentName: componentName
    location: location
    tags: tags
    actionGroupResourceId: empty(emailAddresses)
      ? null
      : resourceId('Microsoft.Insights/actionGroups', actionGroupName)
    alerts: [
      {
        name: 'statuses-not-read'
        description: 'No tick of the status poller has succeeded for an hour: see why the app does not run, or what its ticks failed of.'
        severity: 1
        query: 'requests | where name == "ReadDeploymentStatus" and success == true'
        operator: 'LessThan'
        threshold: 1
        windowSize: 'PT1H'
      }
      {
        name: 'errors'
        description: 'The handler has logged an error: a fault in settings or registry, a customer that cannot be reached, a status that was dead-lettered.'
        severity: 2
        query: 'traces | where tostring(parse_json(message).level) == "ERROR"'
        operator: 'GreaterThan'
        threshold: 0
        windowSize: 'PT15M'
      }
    ]
  }
  dependsOn: [actionGroup]
}

@description('The names of the alerts.')
output names string[] = logAlerts.outputs.names
