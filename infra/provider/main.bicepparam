using 'main.bicep'

// The `clientId` that the deployment of identity.bicep has as output.
param clientId = readEnvironmentVariable('CAUSEWAY_CLIENT_ID', '00000000-0000-0000-0000-000000000000')

param alertEmailAddresses = []
param tags = {}
