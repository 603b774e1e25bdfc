metadata name = 'Roles'
metadata description = 'The built-in roles that this solution gives, and no others.'

@export()
@description('Name of a built-in role that this solution gives.')
type roleNameType =
  | 'Azure Service Bus Data Receiver'
  | 'Azure Service Bus Data Sender'
  | 'Key Vault Secrets User'
  | 'Monitoring Metrics Publisher'
  | 'Storage Blob Data Contributor'
  | 'Storage Blob Data Owner'
  | 'Storage Blob Data Reader'

@export()
@description('Ids of the built-in roles. https://learn.microsoft.com/azure/role-based-access-control/built-in-roles')
var roleIds = {
  'Azure Service Bus Data Receiver': '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0'
  'Azure Service Bus Data Sender': '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39'
  'Key Vault Secrets User': '4633458b-17de-408a-b874-0445c86b69e6'
  'Monitoring Metrics Publisher': '3913510d-42f4-4e42-8a64-420c390055eb'
  'Storage Blob Data Contributor': 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  'Storage Blob Data Owner': 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  'Storage Blob Data Reader': '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
}
