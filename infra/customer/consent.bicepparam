using 'consent.bicep'

// As the provider has said.
param providerClientId = readEnvironmentVariable('CAUSEWAY_CLIENT_ID', '00000000-0000-0000-0000-000000000000')
