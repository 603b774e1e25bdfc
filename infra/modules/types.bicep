metadata name = 'Types'
metadata description = 'Types of parameters that several files take.'

@export()
@description('Tags by name.')
type tagsType = {
  @description('Optional. Value of the tag.')
  *: string
}

@export()
@description('App settings by name.')
type settingsType = {
  @description('Optional. Value of the setting.')
  *: string
}

@export()
@description('Lock of a resource.')
type lockType = 'CanNotDelete' | 'None'

@export()
@description('The one customer of an app without a registry.')
type singleCustomerType = {
  @description('Required. Who the customer is.')
  customerId: string

  @description('Required. Their tenant.')
  tenantId: string

  @description('Required. Their Service Bus namespace, fully qualified.')
  serviceBusNamespace: string

  @description('Required. Their command queue.')
  deploymentCommandQueueName: string

  @description('Required. Their status queue.')
  deploymentStatusQueueName: string
}
