/**
 * The schemas that the description names: requests as the worker validates them, answers as the tests hold them to. Requests are described
 * by what may be sent, answers by what comes.
 */
import * as z from 'zod/mini'
import {
  EnvelopeRecords,
  LookupsRequest,
  LookupsResponse,
  OutcomesRequest,
  OutcomesResponse,
} from '#contract'
import {
  CredentialChanges,
  NewCredential,
  NewSchema,
  NewTask,
  Rotation,
  SchemaChanges,
  TaskChanges,
} from '../../worker/registry/forms.ts'
import { SchemaField } from '../../worker/schema/form.ts'
import { ReceiptsQuery } from '../../worker/status/receipts-query-form.ts'
import * as answers from './answers.ts'
import { Report, Reports } from './reports.ts'

/** The parameters of the action that `X-TC-Action` names. */
const TencentCall = z.looseObject({})

export const REQUESTS = {
  TencentCall,
  Report,
  Reports,
  ReceiptsQuery,
  NewDatahub: NewTask,
  DatahubChanges: TaskChanges,
  NewCredential,
  CredentialChanges,
  Rotation,
  NewSchema,
  SchemaChanges,
  SchemaField,
  OutcomesRequest,
  LookupsRequest,
}

export const ANSWERS = { ...answers, EnvelopeRecords, OutcomesResponse, LookupsResponse }

export type SchemaName = keyof typeof REQUESTS | keyof typeof ANSWERS
