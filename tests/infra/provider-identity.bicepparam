using '../../infra/provider/identity.bicep'
