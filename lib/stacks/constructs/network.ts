/**
 * Where machines run. By default public subnets with a security group that lets nothing in, because a NAT gateway costs about 33 dollars
 * a month while nothing runs; reading and writing S3 goes through a gateway endpoint, which is free.
 */
import {
  GatewayVpcEndpointAwsService,
  IpAddresses,
  type IVpc,
  SecurityGroup,
  type SubnetSelection,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2'
import { Construct } from 'constructs'

export class Network extends Construct {
  readonly vpc: IVpc
  readonly subnets: SubnetSelection
  readonly securityGroup: SecurityGroup

  constructor(scope: Construct, id: string, { natGateways, zones }: { natGateways: number; zones: number }) {
    super(scope, id)
    const publicSubnets = {
      name: 'Public',
      subnetType: SubnetType.PUBLIC,
      cidrMask: 20,
      mapPublicIpOnLaunch: true,
    }
    const privateSubnets = { name: 'Private', subnetType: SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 20 }
    const vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr('10.0.0.0/16'),
      maxAzs: zones,
      natGateways,
      subnetConfiguration: natGateways === 0 ? [publicSubnets] : [publicSubnets, privateSubnets],
      gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 } },
      // nothing uses the default group; closing it takes a custom resource that may change any group of the account
      restrictDefaultSecurityGroup: false,
    })
    this.vpc = vpc as IVpc // its class and its interface differ in one optional property
    this.subnets = { subnetType: natGateways === 0 ? SubnetType.PUBLIC : SubnetType.PRIVATE_WITH_EGRESS }
    this.securityGroup = new SecurityGroup(this, 'Machines', {
      vpc: this.vpc,
      description: 'Celldrop machines: nothing in, everything out',
      allowAllOutbound: true,
    })
  }
}
