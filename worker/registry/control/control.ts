/** The control plane over the registry object: its parts put together. */
import type { StoredAuditEntry } from '../audit-table.ts'
import type { AuditQuery, Control, Done } from '../control-plane.ts'
import { done } from '../done.ts'
import {
  createCredentialControl,
  type CredentialControlDeps,
  type CredentialRegistry,
} from './credentials.ts'
import { nameOf, reached } from './reached.ts'
import { createSchemaControl, type SchemaRegistry } from './schemas.ts'
import { createTaskControl, type TaskControlDeps, type TaskRegistry } from './tasks.ts'

/** What the control plane asks of the registry object. */
export interface RegistryWriter extends TaskRegistry, CredentialRegistry, SchemaRegistry {
  auditLog: (by: string, query: AuditQuery) => Promise<Done<StoredAuditEntry[]>>
}

export interface ControlDeps extends TaskControlDeps, CredentialControlDeps {
  registry: RegistryWriter
}

export function createControl(deps: ControlDeps): Control {
  return {
    tasks: createTaskControl(deps),
    credentials: createCredentialControl(deps),
    schemas: createSchemaControl(deps),
    async auditLog(by, query) {
      const stored = await reached(deps.registry.auditLog(nameOf(by), query))
      if (stored.status === 'rejected') return stored
      const entries = stored.value.map(({ detail, ...entry }) => ({
        ...entry,
        detail: JSON.parse(detail) as Record<string, unknown>,
      }))
      return done(entries)
    },
  }
}
