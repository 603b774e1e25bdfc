metadata name = 'Alerts on queues'
metadata description = 'Watches metrics of a Service Bus namespace, queue by queue. They are metric alerts, since exported metrics lose the name of the queue.'

import { tagsType } from 'types.bicep'

@export()
@description('An alert on one metric.')
type queueAlertType = {
  @description('Required. Short name of what is wrong.')
  name: string

  @description('Required. What it means and what to do.')
  description: string

  @description('Required. From 0, critical, to 4, verbose.')
  @minValue(0)
  @maxValue(4)
  severity: int

  @description('Required. Metric of Microsoft.ServiceBus/namespaces. https://learn.microsoft.com/azure/azure-monitor/reference/supported-metrics/microsoft-servicebus-namespaces-metrics')
  metricName: string

  @description('Required. How the values of a window become one. Gauges such as message counts are no Total.')
  aggregation: 'Average' | 'Maximum' | 'Minimum' | 'Total'

  @description('Required. How it is compared with the threshold.')
  operator: 'GreaterThan' | 'LessThan'

  @description('Required. The threshold.')
  threshold: int

  @description('Required. What is looked at, as an ISO 8601 duration from PT1M to P1D.')
  windowSize: string

  @description('Required. How often, as an ISO 8601 duration from PT1M to PT1H.')
  evaluationFrequency: string

  @description('Optional. The queues that are watched, each by itself. The namespace as a whole if left out.')
  queueNames: string[]?
}

@description('Required. The namespace.')
param namespaceName string

@description('Optional. Tags of all resources.')
param tags tagsType = {}

@description('Required. The alerts.')
param alerts queueAlertType[]

@description('Optional. Action group that is told. Left out, alerts are only shown in the portal.')
param actionGroupResourceId string?

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' existing = {
  name: namespaceName
}

resource rules 'Microsoft.Insights/metricAlerts@2026-01-01' = [
  for alert in alerts: {
    name: '${namespaceName}-${alert.name}'
    location: 'global'
    tags: tags
    properties: {
      description: alert.description
      enabled: true
      severity: alert.severity
      scopes: [namespace.id]
      evaluationFrequency: alert.evaluationFrequency
      windowSize: alert.windowSize
      autoMitigate: true
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: alert.name
            metricNamespace: 'Microsoft.ServiceBus/namespaces'
            metricName: alert.metricName
            timeAggregation: alert.aggregation
            operator: alert.operator
            threshold: alert.threshold
            dimensions: empty(alert.?queueNames)
              ? []
              : [
                  {
                    name: 'EntityName'
                    operator: 'Include'
                    values: alert.queueNames!
                  }
                ]
          }
        ]
      }
      actions: actionGroupResourceId == null ? [] : [{ actionGroupId: actionGroupResourceId }]
    }
  }
]

@description('The names of the alerts.')
output names string[] = [for (alert, index) in alerts: rules[index].name]

@description('The resource ids of the alerts.')
output resourceIds string[] = [for (alert, index) in alerts: rules[index].id]

@description('The resource group of the alerts.')
output resourceGroupName string = resourceGroup().name
