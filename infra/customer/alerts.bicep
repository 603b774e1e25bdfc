metadata name = 'Alerts of the customer'
metadata description = 'Who is told when messages are dead-lettered, wait, are refused or do not come any more, or the handler logs errors.'

import { tagsType } from '../modules/types.bicep'

@description('Required. What the names of all resources are made of.')
param name string

@description('Required. Region.')
param location string

@description('Optional. Tags of all resources.')
param tags tagsType = {}

@description('Required. The Application Insights component, in this resource group.')
param componentName string

@description('Required. The Service Bus namespace, in this resource group.')
param namespaceName string

@description('Required. Its queue for commands.')
param commandQueueName string

@description('Required. Its queue for statuses.')
param statusQueueName string

@description('Required. An alert says that no command has come for this long, as an ISO 8601 duration of at most P1D. Empty for no such alert.')
param noTrafficWindow '' | 'PT6H' | 'PT12H' | 'P1D'

@description('Required. Who is told of alerts. With nobody they are only shown in the portal.')
param emailAddresses string[]

@description('Name of the action group.')
var actionGroupName = 'ag-${name}'
@description('Both queues.')
var queueNames = [commandQueueName, statusQueueName]

module actionGroup '../modules/action-group.bicep' = if (!empty(emailAddresses)) {
  params: {
    name: actionGroupName
    shortName: take(name, 12)
    tags: tags
    emailAddresses: emailAddresses
  }
}

module queueAlerts '../modules/queue-alerts.bicep' = {
  params: {
    namespaceName: namespaceName
    tags: tags
    actionGroupResourceId: empty(emailAddresses)
      ? null
      : resourceId('Microsoft.Insights/actionGroups', actionGroupName)
    alerts: concat(
      [
        {
          name: 'dead-letters'
          description: 'A command or status nobody could use lies in a dead-letter queue: its properties say why. While the namespace is throttled the count reads 0.'
          severity: 2
          metricName: 'DeadletteredMessages'
          aggregation: 'Maximum'
          operator: 'GreaterThan'
          threshold: 0
          windowSize: 'PT5M'
          evaluationFrequency: 'PT5M'
          queueNames: queueNames
        }
        {
          name: 'messages-wait'
          description: 'For an hour there were always messages that nobody took. In the command queue: the app does not run, or fails. In the status queue: the provider does not read.'
          severity: 2
          metricName: 'ActiveMessages'
          aggregation: 'Minimum'
          operator: 'GreaterThan'
          threshold: 0
          windowSize: 'PT1H'
          evaluationFrequency: 'PT15M'
          queueNames: queueNames
        }
        {
          name: 'throttled'
          description: 'The namespace refuses requests, since there are more than its tier allows.'
          severity: 3
          metricName: 'ThrottledRequests'
          aggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 0
          windowSize: 'PT15M'
          evaluationFrequency: 'PT15M'
        }
      ],
      noTrafficWindow == ''
        ? []
        : [
            {
              name: 'no-traffic'
              description: 'No command has come for a while. If there should have been some: has the provider\'s application lost its consent or its role?'
              severity: 3
              metricName: 'IncomingMessages'
              aggregation: 'Total'
              operator: 'LessThan'
              threshold: 1
              windowSize: noTrafficWindow
              evaluationFrequency: 'PT1H'
              queueNames: [commandQueueName]
            }
          ]
    )
  }
  dependsOn: [actionGroup]
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
        name: 'errors'
        description: 'The handler has logged an error: a fault in settings, a command that failed, a status that could not be sent.'
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
output names string[] = concat(queueAlerts.outputs.names, logAlerts.outputs.names)
