metadata name = 'Alerts on logs'
metadata description = 'Watches what the Function App writes to Application Insights.'

import { tagsType } from 'types.bicep'

@export()
@description('An alert on the number of rows that a query finds.')
type logAlertType = {
  @description('Required. Short name of what is wrong.')
  name: string

  @description('Required. What it means and what to do.')
  description: string

  @description('Required. From 0, critical, to 4, verbose.')
  @minValue(0)
  @maxValue(4)
  severity: int

  @description('Required. Query in the Kusto language over the tables of Application Insights.')
  query: string

  @description('Required. How the number of rows is compared with the threshold.')
  operator: 'GreaterThan' | 'LessThan'

  @description('Required. The threshold.')
  threshold: int

  @description('Required. What is looked at, and how often, as an ISO 8601 duration.')
  windowSize: string
}

@description('Required. The Application Insights component.')
param componentName string

@description('Required. Region.')
param location string

@description('Optional. Tags of all resources.')
param tags tagsType = {}

@description('Required. The alerts.')
param alerts logAlertType[]

@description('Optional. Action group that is told. Left out, alerts are only shown in the portal.')
param actionGroupResourceId string?

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource rules 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for alert in alerts: {
    name: '${componentName}-${alert.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: '${componentName}: ${alert.name}'
      description: alert.description
      enabled: true
      severity: alert.severity
      scopes: [component.id]
      evaluationFrequency: alert.windowSize
      windowSize: alert.windowSize
      autoMitigate: true
      criteria: {
        allOf: [
          {
            query: alert.query
            timeAggregation: 'Count'
            operator: alert.operator
            threshold: alert.threshold
            failingPeriods: {
              minFailingPeriodsToAlert: 1
              numberOfEvaluationPeriods: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: actionGroupResourceId == null ? [] : [actionGroupResourceId!]
      }
    }
  }
]

@description('The names of the alerts.')
output names string[] = [for (alert, index) in alerts: rules[index].name]

@description('The resource ids of the alerts.')
output resourceIds string[] = [for (alert, index) in alerts: rules[index].id]

@description('The resource group of the alerts.')
output resourceGroupName string = resourceGroup().name
